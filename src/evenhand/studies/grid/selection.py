"""One setting of a grid, chosen on dev items alone.

What is chosen here is measured later on other items. So nothing in this module is given a benchmark that
holds them: `Dev` takes the dev part of a benchmark and refuses every other, and prompts, words and fits all
come from it. Capability has no dev part and is not read; what a setting must not lose is told by the dev
prompts themselves: the groups' words keep their probability, and all other words keep theirs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evenhand.benchmarks import Benchmark
from evenhand.errors import EvenhandError, NoSpace, UsageError
from evenhand.mitigations import refuse
from evenhand.models import Model, gives_weights
from evenhand.progress import task
from evenhand.records import GuardName, Measurement, Value, digest
from evenhand.studies.cells import Cells
from evenhand.studies.distance import as_reported, distance
from evenhand.studies.fitting import Fitting
from evenhand.studies.margins import Margins
from evenhand.studies.methods import made_method
from evenhand.studies.options import VerifyOptions
from evenhand.studies.shift import NoShift, Shift, contexts, terms_of
from evenhand.studies.store import Store
from evenhand.studies.trained_on import trained_on

if TYPE_CHECKING:
    from evenhand.treatments import Treatment

DEV, TEST = "dev", "test"
_PROMPTS = "bias"  # the contexts of a shift that are prompts of the benchmark itself


@dataclass(frozen=True)
class Dev:
    """The dev part of the benchmark that a verdict is about, and the metric `primary` of that verdict.

    Raises:
        UsageError: the benchmark holds another part.
    """

    benchmark: Benchmark
    primary: str

    def __post_init__(self) -> None:
        if getattr(self.benchmark, "part", None) != DEV:
            raise UsageError(
                f"{self.benchmark.name} is not a dev part, and settings are chosen on dev items only.",
                mend="Give it with part=dev.",
            )


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a grid on dev items, relative to the base.

    Attributes:
        spec: the method with its options.
        before: the bias of the base, its distance from the ideal.
        bias: the same of the treated model; None where it was not fitted or is undefined.
        mass: the groups' words' probability as a share of what it was; None where it is not measured.
        rest: mean KL divergence of all other words after the dev prompts, nats; None where not measured.
        error: why it could not be fitted or measured; empty where it was.
    """

    spec: str
    before: Value = None
    bias: Value = None
    mass: Value = None
    rest: Value = None
    error: str = ""

    def kept(self, margins: Margins) -> bool:
        """Whether the words' probability and all other words stay within the margins, where measured."""
        least = 1 - margins.mass_kept
        mass = self.mass is None or least <= self.mass <= 1 / least
        return mass and (self.rest is None or self.rest <= margins.rest)


@dataclass(frozen=True, slots=True)
class Selection:
    """The settings of a grid on dev items, which was `chosen`, and why."""

    benchmark: str
    chosen: str
    why: str
    settings: tuple[Setting, ...]


def dev_of(bias: Sequence[Benchmark], primary: str) -> Dev:
    """The dev part of the benchmark that a verdict on `primary` is about.

    Raises:
        UsageError: it has none, or its dev part is what the study measures.
    """
    holders = [b for b in bias if primary in (m.name for m in b.metrics)]
    source = next((b for b in holders if b.primary == primary), holders[0])
    part = getattr(source, "part", None)
    if part != TEST or not dataclasses.is_dataclass(source):
        why = f"measures its part {part}" if part is not None else "has no dev part"
        raise UsageError(
            f"A grid is chosen on dev items, and {source.name} {why}.",
            mend="Measure a benchmark with a dev part beside its test, such as genbiaseval:split=heldout, or "
            "write one value for each option.",
        )
    return Dev(dataclasses.replace(source, part=DEV), primary)


def select(model: Model, specs: Sequence[str], dev: Dev, options: VerifyOptions, folder: Path) -> Selection:
    """The best of `specs` on dev items; fits and measurements are kept below `folder` and not made again.

    Raises:
        EvenhandError: the base cannot be measured, or no setting could be fitted (the last one's error).
    """
    trial = _Trial(model, dev, options, folder)
    found, last = [], None
    with task("choosing a setting on dev items", len(specs), unit="setting") as advance:
        for spec in specs:
            try:
                found.append(trial.of(spec))
            except NoSpace:
                raise
            except EvenhandError as error:
                found.append(Setting(spec, error=str(error)))
                last = error
            advance(1)
    if last is not None and all(setting.error for setting in found):
        raise last
    chosen, why = chosen_of(found, Margins(accuracy=options.margin))
    return Selection(dev.benchmark.name, chosen.spec, why, tuple(found))


def chosen_of(settings: Sequence[Setting], margins: Margins) -> tuple[Setting, str]:
    """The setting with the least bias among those that keep the margins, else the gentlest; and why.

    At least one was measured.
    """
    known = [one for one in settings if not one.error]
    kept = [one for one in known if one.kept(margins) and one.bias is not None]
    if kept:
        return min(kept, key=lambda one: abs(one.bias or 0.0)), (
            f"least bias on dev items; {len(kept)} of {len(known)} settings keep the words' probability"
        )
    return min(known, key=lambda one: (one.rest or 0.0, abs(math.log(one.mass or 1.0)))), (
        "no setting keeps the probability of the groups' words and of all others: it moves them least"
    )


class _Trial:
    """One model on dev items: its own figures, beside which settings are tried."""

    def __init__(self, model: Model, dev: Dev, options: VerifyOptions, folder: Path) -> None:
        self._model, self._dev, self._options, self._folder = model, dev, options, folder
        self._cells = Cells(model, Store(folder), options.seed, options.limit)
        (self._before,) = self._cells.base([dev.benchmark])

    def of(self, spec: str) -> Setting:
        """One setting, fitted on the train part and measured on dev items.

        Raises:
            EvenhandError: it cannot be fitted or measured.
        """
        method, bench = made_method(spec), self._dev.benchmark
        examples = trained_on(self._model.spec.uri, [bench], method.fits_on, spec).examples
        refuse(method, self._model, examples)
        place = self._folder / digest(spec)[:16]
        treatment, _ = Fitting(method, spec, self._model, examples, self._options, place).treatment()
        (after,) = self._cells.treated([bench], treatment.digest, lambda: treatment.applied(self._model))
        old, new = (self._bias(one) for one in (self._before, after))
        return Setting(spec, old, new, _mass(self._before, after), self._rest(treatment))

    def _bias(self, measured: Measurement) -> Value:
        base = self._before.metrics[self._dev.primary]
        away = distance(as_reported(self._dev.primary, base), base.value)
        return away.value(measured.metrics[self._dev.primary].value)

    def _rest(self, treatment: Treatment) -> Value:
        """How far all other words moved after the dev prompts, in nats; None where that cannot be read."""
        model, bench = self._model, self._dev.benchmark
        if not gives_weights(model) or model.spec.family != "causal":
            return None
        asked = [c for c in contexts(model, bench, (), self._options.seed) if c.kind == _PROMPTS]
        try:
            shift = Shift(model, asked, terms_of(bench))
            moved = self._cells.shifted(
                shift, treatment.digest, lambda: treatment.applied(model), (_PROMPTS,)
            )
        except NoShift:
            return None
        return _mean([score.values["kl.rest"] for score in moved.scores])


def _mass(before: Measurement, after: Measurement) -> Value:
    name = before.guards.get(GuardName.MASS)
    if name is None or name not in before.metrics:
        return None
    old, new = before.metrics[name].value, after.metrics[name].value
    return None if not old or new is None else new / old


def _mean(values: Sequence[Value]) -> Value:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
