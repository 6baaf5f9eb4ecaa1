"""Cases: what the contracts cannot know of a component, one object a component.

A component's case stands beside its tests, as the module's `CASE` or one of its `CASES`. The command line
takes it from ``--case module:NAME``, from the component's attribute `case`, or from an entry point of the
group ``evenhand.cases`` that has the component's name. Without one the contracts run that need none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evenhand.records import Value

if TYPE_CHECKING:
    from evenhand.benchmarks import Benchmark
    from evenhand.metrics import Array
    from evenhand.models import Model
    from evenhand.testing.scripted import ScriptedModel

Row = Mapping[str, Value]
Made = Callable[[int, int], "Mapping[str, Array]"]
Script = Callable[["Benchmark"], "ScriptedModel"]
Stated = Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True)
class Swap:
    """What exchanging two groups does to an item's columns; those not named stay.

    Attributes:
        exchanged: pairs of columns that change places.
        negated: columns that change their sign.
        complemented: columns from 0 to 1 that become 1 minus themselves.
    """

    exchanged: tuple[tuple[str, str], ...] = ()
    negated: tuple[str, ...] = ()
    complemented: tuple[str, ...] = ()

    def __call__(self, values: Row) -> dict[str, Value]:
        """The values of an item with the two groups exchanged."""
        found = dict(values)
        for one, other in self.exchanged:
            found[one], found[other] = values[other], values[one]
        found |= {name: None if (v := values[name]) is None else -v for name in self.negated}
        return found | {name: None if (v := values[name]) is None else 1 - v for name in self.complemented}


@dataclass(frozen=True)
class MetricCase:
    """The case of a metric.

    Attributes:
        name: the metric's name.
        low, high: the values of items at which the metric reaches that end of its range; None where the
            end is open.
        made: takes n and a seed and returns random columns [n] by name, NaN where undefined; about one item
            in ten is then made undefined as a whole. `n` is a multiple of 4.
        swap: what exchanging two groups does to the columns.
        swapped: ``keeps`` or ``flips`` (the sign), or the name of the metric whose value it then has.
        whole: the column whose equal values are drawn together, where weights do not count items alone.
        by_sample: whether a sample's standard deviation (ddof 1) is in it: every item twice then gives a
            slightly different figure.
    """

    name: str
    made: Made
    low: Sequence[Row] | None = None
    high: Sequence[Row] | None = None
    swap: Swap = Swap()
    swapped: str = "keeps"
    whole: str = ""
    by_sample: bool = False


@dataclass(frozen=True)
class BenchmarkCase:
    """The case of a benchmark.

    Attributes:
        name: the benchmark's name.
        stated: script to metric to the value that it must have for that scripted model; None is undefined.
        scripts: models that answer as the script's name says, made for a benchmark. Without any, those of its
            role in `evenhand.testing.scripts`.
        spec: what is tested where the bare name takes too long or needs what a machine may lack.
        variants: other options to try.
        forms: `stated` of other options.
        teaches: whether it gives examples to fit on.
        silent: the variants that give none although the others do.
    """

    name: str
    stated: Stated = field(default_factory=dict)
    scripts: Mapping[str, Script] = field(default_factory=dict)
    spec: str = ""
    variants: tuple[str, ...] = ()
    forms: Mapping[str, Stated] = field(default_factory=dict)
    teaches: bool = False
    silent: tuple[str, ...] = ()


@dataclass(frozen=True)
class LocatorCase:
    """The case of a locator.

    Attributes:
        name: the locator's name.
        spec: what runs on tiny models, where that is not its name.
        no_lab: why it cannot find the lab's planted block although it looks at the attribute; empty where it
            can.
    """

    name: str
    spec: str = ""
    no_lab: str = ""


@dataclass(frozen=True)
class MitigationCase:
    """The case of a mitigation.

    Attributes:
        name: the mitigation's name.
        spec: options with which it takes a second on a tiny model of 64 positions.
        no_lab: why its effect on the lab's planted bias is not tried here; empty where it is.
        lab: options with which that effect is tried, where those of the bare name would take minutes.
        no_lab_sham: why four of its shams are too few to say that they leave that bias alone; empty where
            they are enough.
    """

    name: str
    spec: str = ""
    no_lab: str = ""
    lab: str = ""
    no_lab_sham: str = ""


@dataclass(frozen=True)
class ControlCase:
    """The case of a control.

    Attributes:
        name: the control's name.
        spec: options with which it takes a second on a tiny model.
        harmless: a dose at which it must leave the lab's planted gap alone; None where every dose takes some
            of it with the rest of the model.
    """

    name: str
    spec: str = ""
    harmless: float | None = None


@dataclass(frozen=True)
class ModelCase:
    """The case of a model: `name` is its string, `open` opens it (None: `evenhand.opening.open_model`)."""

    name: str
    open: Callable[..., Model] | None = None


@dataclass(frozen=True)
class AuditCase:
    """The case of an audit.

    Attributes:
        name: the audit's name.
        planted: makes a data set, and the options of `evenhand.audit`, in which the audit must find
            something; one row of another column should hold `evenhand.testing.audits.SECRET`.
        quiet: makes one in which it must not; None where every data set has something to tell.
    """

    name: str
    planted: Callable[[], tuple[Any, Mapping[str, Any]]]
    quiet: Callable[[], tuple[Any, Mapping[str, Any]]] | None = None


Case = MetricCase | BenchmarkCase | LocatorCase | MitigationCase | ControlCase | ModelCase | AuditCase
KINDS: Mapping[type[Any], str] = {
    MetricCase: "metric",
    BenchmarkCase: "benchmark",
    LocatorCase: "locator",
    MitigationCase: "mitigation",
    ControlCase: "control",
    ModelCase: "model",
    AuditCase: "audit",
}
