"""What a study will run: cells, models, rows, and about how many minutes.

How fast a model answers is not known before it is asked, so some items of each benchmark are measured and
timed. What a cell takes beside its base is a verification's own forecast (`evenhand.studies.ahead`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evenhand.errors import EvenhandError
from evenhand.models import Model
from evenhand.progress import duration
from evenhand.studies.grid.checking import Checked, Planned
from evenhand.studies.options import VerifyOptions


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """What a study runs on one model.

    `cells` are its verifications, `models` all models at most (base, treated and control models, settings of
    grids), `rows` what they are asked at most; `low` and `high` are minutes. `refused` are the mitigations
    that cannot be fitted to it, each with the reason: they are in none of these.
    """

    model: str
    cells: int
    models: int
    rows: int
    low: float
    high: float
    refused: Mapping[str, str]


def study_plan(checked: Checked) -> tuple[PlannedModel, ...]:
    """What the study runs on each of its models, each of which is opened and timed.

    Raises:
        EvenhandError: a model cannot be opened or asked.
    """
    return tuple(_on(checked, uri) for uri in checked.study.models)


def base_seconds(checked: Checked, first: Planned, model: Model) -> float:
    """How long it takes to measure the model of a cell once, without anything done to it.

    Raises:
        EvenhandError: it cannot be asked.
    """
    return first.parts.sampled(model, first.plan.primary, checked.study.options).seconds


def sentence(planned: Sequence[PlannedModel], seeds: int) -> str:
    """The forecast as one sentence."""
    low, high = (60 * sum(getattr(one, end) for one in planned) for end in ("low", "high"))
    cells, models = (sum(getattr(one, what) for one in planned) for what in ("cells", "models"))
    return (
        f"{cells} verification{'s' * (cells != 1)} ({seeds} seed{'s' * (seeds != 1)}) of at most "
        f"{models} models in all: about {duration(low)} to {duration(high)} if nothing is stored yet."
    )


def refusals(planned: Sequence[PlannedModel]) -> list[str]:
    """A sentence for each mitigation that cannot be fitted to a model: it is in no figure of the forecast."""
    return [
        f"Not counted: {name} on {one.model} will be refused. {why}"
        for one in planned
        for name, why in one.refused.items()
    ]


def _on(checked: Checked, uri: str) -> PlannedModel:
    study, seeds = checked.study, len(checked.study.seeds)
    own = [one for one in checked.planned if one.model == uri]
    with study.options.opened(uri) as model:
        refused = {one.mitigation: why for one in own if (why := _refusal(one, model, study.options))}
        base = base_seconds(checked, own[0], model)
    own = [one for one in own if one.mitigation not in refused]
    low = high = seeds * base
    models = rows = 0
    for one in own:
        fits = one.settings if one.settings > 1 else 0
        models += seeds * (2 + sum(one.plan.control.values())) + fits
        rows += seeds * one.plan.rows
        cell = one.parts.ahead(base, study.options.control)
        chosen = one.parts.ahead(base, "none", fits)  # each setting is fitted and measured
        low += seeds * cell.low + chosen.low
        high += seeds * cell.high + chosen.high
    return PlannedModel(uri, seeds * len(own), models, rows, low / 60, high / 60, refused)


def _refusal(planned: Planned, model: Model, options: VerifyOptions) -> str:
    """Why the mitigation of a cell refuses its model; empty where it does not.

    Nothing is said of a grid: another of its settings may do.
    """
    if planned.settings > 1:
        return ""
    try:
        planned.parts.check(model, planned.plan.mitigation, options)
    except EvenhandError as error:
        return error.what
    return ""
