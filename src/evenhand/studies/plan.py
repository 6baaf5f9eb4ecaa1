"""What a verification would run, computed without a model: cells (a benchmark on a model) and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Unpack

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.mitigations import refuse
from evenhand.records import EVERY_KIND, TREATED
from evenhand.studies import control_models, defaults
from evenhand.studies.given import check_treated
from evenhand.studies.methods import made_method
from evenhand.studies.options import METHOD, PlanKeywords, VerifyOptions, combined, model_name
from evenhand.studies.primary import of_benchmarks
from evenhand.studies.trained_on import EVERY_CONTROL, fitted_on, trained_on
from evenhand.studies.training_data import check_capability


@dataclass(frozen=True, slots=True)
class PlannedBenchmark:
    """One benchmark of the plan: its `items`, the distinct `rows` to score, and the number of `models`."""

    benchmark: str
    role: str
    items: int
    rows: int
    models: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What `verify` would run at most: finished cells are not run again.

    `control` counts the control models of each family at most, `least` at the first look, after which none is
    added where the figures are clear; the base and the treated model are not among them. `mitigation`
    is the method, or `TREATED` and the name of a model that was treated already. `primary` is the metric that
    the verdict would be about.
    """

    uri: str
    mitigation: str
    limited: bool
    control: Mapping[str, int]
    benchmarks: tuple[PlannedBenchmark, ...]
    primary: str
    least: Mapping[str, int] = field(default_factory=dict)

    @property
    def cells(self) -> int:
        """The number of cells: a benchmark on a model."""
        return sum(line.models for line in self.benchmarks)

    @property
    def rows(self) -> int:
        """The total number of rows to score."""
        return sum(line.models * line.rows for line in self.benchmarks)


def plan(
    uri: str,
    with_: str | None = None,
    options: VerifyOptions | None = None,
    *,
    treated: str | None = None,
    **given: Unpack[PlanKeywords],
) -> Plan:
    """What ``verify(uri, with_, ...)`` would run under the same options; by default with ``lftf``.

    With `treated`, what ``verify(uri, treated=...)`` would run. Where that model turns out to give no
    weights, no control model is run.

    Raises:
        EvenhandError: what `verify` would refuse before it opens the model: an unknown name, an invalid
            option, a mitigation that cannot be fitted on what the bias benchmarks give.
    """
    options, uri = combined(VerifyOptions, options, given, PlanKeywords, own=("treated",)), model_name(uri)
    method, said = None, with_ or METHOD
    if treated is None:
        method = made_method(said)
    else:
        check_treated(treated, with_, None)
        said = TREATED + treated
    bias = options.benchmarks or defaults.treated_bias(uri)
    made = [registry.create("benchmark", spec) for spec in bias]
    data = (
        trained_on(uri, made, EVERY_KIND, EVERY_CONTROL)
        if method is None
        else fitted_on(uri, made, method, said)
    )
    primary = of_benchmarks(made, options.primary, data.benchmark)
    if method is not None:
        refuse(method, None, data.examples)
    counts = control_models.counts(options.control)
    control = {family: most for family, (_, most) in counts.items()}
    least = {family: number for family, (number, _) in counts.items()}
    models = 2 + sum(control.values())
    capability = options.capability or defaults.capability(uri, bias)
    kept = [registry.create("benchmark", spec) for spec in capability]
    check_capability(kept)
    source = _source(made, primary)
    lines = [_line(one, options.limit, models) for one in (made[source], *kept)]
    lines += [_line(one, options.limit, 2) for i, one in enumerate(made) if i != source]
    return Plan(uri, said, options.limit is not None, control, tuple(lines), primary, least)


def _source(bias: Sequence[Benchmark], primary: str) -> int:
    """The index of the benchmark that the verdict is about, on which control models are also measured."""
    holders = [i for i, one in enumerate(bias) if primary in (m.name for m in one.metrics)]
    return next((i for i in holders if bias[i].primary == primary), holders[0])


def _line(made: Benchmark, limit: int | None, models: int) -> PlannedBenchmark:
    """The cost of one benchmark: equal requests are scored once, and a limit scales the number of rows."""
    samples = made.load()
    rows = len({request for sample in samples for request in made.ask(sample)})
    items = len(samples) if limit is None else min(limit, len(samples))
    return PlannedBenchmark(made.name, made.role, items, round(rows * items / max(1, len(samples))), models)
