"""What a verification would run, without a model: cells (a benchmark on a model) and rows to score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Unpack

from evenhand import registry
from evenhand.studies import control_models, defaults
from evenhand.studies.methods import made_method
from evenhand.studies.options import PlanKeywords, VerifyOptions, combined, model_name
from evenhand.studies.training_data import check_capability, training_data


@dataclass(frozen=True, slots=True)
class PlannedBenchmark:
    """One benchmark of the plan: its `items`, the distinct `rows` to score, and on how many `models`."""

    benchmark: str
    role: str
    items: int
    rows: int
    models: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What `verify` would run at most: finished cells are not run again.

    `control` counts the control models of each family; the base and the treated model come besides.
    """

    uri: str
    mitigation: str
    limited: bool
    control: Mapping[str, int]
    benchmarks: tuple[PlannedBenchmark, ...]

    @property
    def cells(self) -> int:
        """How often a benchmark is taken on a model."""
        return sum(line.models for line in self.benchmarks)

    @property
    def rows(self) -> int:
        """How many rows are scored in all."""
        return sum(line.models * line.rows for line in self.benchmarks)


def plan(
    uri: str, with_: str = "lftf", options: VerifyOptions | None = None, **given: Unpack[PlanKeywords]
) -> Plan:
    """What ``verify(uri, with_, ...)`` would run under the same options.

    Raises:
        EvenhandError: what `verify` would refuse, too: an unknown name, an option that cannot be, a
            mitigation that cannot be fitted on what the bias benchmarks give.
    """
    options, uri = combined(VerifyOptions, options, given, PlanKeywords), model_name(uri)
    method = made_method(with_)
    bias = options.benchmarks or defaults.bias(uri)
    training_data([registry.create("benchmark", spec) for spec in bias], method.fits_on, with_)
    control = control_models.counts(options.control)
    models = 2 + sum(control.values())
    capability = options.capability or defaults.capability(uri, bias)
    check_capability([registry.create("benchmark", spec) for spec in capability])
    matched = (bias[0], *capability)
    lines = [_line(spec, options.limit, models) for spec in matched]
    lines += [_line(spec, options.limit, 2) for spec in bias[1:]]
    return Plan(uri, with_, options.limit is not None, control, tuple(lines))


def _line(spec: str, limit: int | None, models: int) -> PlannedBenchmark:
    """What one benchmark costs: equal requests are scored once, and a limited benchmark asks its share."""
    made = registry.create("benchmark", spec)
    samples = made.load()
    rows = len({request for sample in samples for request in made.ask(sample)})
    items = len(samples) if limit is None else min(limit, len(samples))
    return PlannedBenchmark(made.name, made.role, items, round(rows * items / max(1, len(samples))), models)
