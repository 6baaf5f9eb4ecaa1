"""What a study will run: cells, models, rows, and about how many minutes.

How fast a model answers is not known before it is asked, so it is asked some rows and timed. The range
reaches from the first look at the control models to the last, as in a verification's own forecast.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from evenhand.benchmarks import Benchmark
from evenhand.models import Model
from evenhand.opening import opened
from evenhand.progress import duration
from evenhand.studies.forecast import AGAIN, EPOCHS, FIT, TRAINED
from evenhand.studies.grid.checking import Checked, Planned, benchmarks
from evenhand.studies.measure import fits_family

ROWS = 300  # asked to time a model


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """What a study runs on one model.

    `cells` are its verifications, `models` all models at most (base, treated and control models, settings of
    grids), `rows` what they are asked at most; `low` and `high` are minutes.
    """

    model: str
    cells: int
    models: int
    rows: int
    low: float
    high: float


def study_plan(checked: Checked) -> tuple[PlannedModel, ...]:
    """What the study runs on each of its models, each of which is opened and timed.

    Raises:
        EvenhandError: a model cannot be opened or asked.
    """
    return tuple(_on(checked, uri, seconds_a_row(checked, uri)) for uri in checked.study.models)


def seconds_a_row(checked: Checked, uri: str) -> float:
    """How long the model `uri` takes for one row of its first bias benchmark.

    Raises:
        EvenhandError: it cannot be opened or asked.
    """
    options = checked.study.options
    with opened(uri, dtype=options.dtype, batch_tokens=options.batch_tokens) as model:
        fitting = [b for b in benchmarks(checked.study, uri) if fits_family(model, b)]
        return timed(model, fitting[0]) if fitting else 0.0


def timed(model: Model, benchmark: Benchmark) -> float:
    """Seconds a row, from `ROWS` requests of the benchmark; asked twice, for the first time is slow."""
    rows = dict.fromkeys(request for sample in benchmark.load() for request in benchmark.ask(sample))
    asked = list(islice(rows, ROWS))
    start = 0.0
    for _ in range(2):
        start = time.monotonic()
        model.answer(asked)
    return (time.monotonic() - start) / max(1, len(asked))


def sentence(planned: Sequence[PlannedModel], seeds: int) -> str:
    """The forecast as one sentence."""
    low, high = (60 * sum(getattr(one, end) for one in planned) for end in ("low", "high"))
    cells, models = (sum(getattr(one, what) for one in planned) for what in ("cells", "models"))
    return (
        f"{cells} verification{'s' * (cells != 1)} ({seeds} seed{'s' * (seeds != 1)}) of at most "
        f"{models} models in all: about {duration(low)} to {duration(high)} if nothing is stored yet."
    )


def _on(checked: Checked, uri: str, rate: float) -> PlannedModel:
    study, seeds = checked.study, len(checked.study.seeds)
    own = [one for one in checked.planned if one.model == uri]
    prompts = _prompts(benchmarks(study, uri))
    base = sum(line.rows for line in own[0].plan.benchmarks)
    low = high = seeds * base * rate
    models = rows = 0
    for one in own:
        fits = one.settings if one.settings > 1 else 0
        models += seeds * (2 + _models(one.plan.control)) + fits
        rows += seeds * one.plan.rows
        high += rate * (seeds * _work(one, one.plan.control, AGAIN[1], prompts) + fits * _fit(prompts))
        low += rate * (seeds * _work(one, one.plan.least, AGAIN[0], prompts) + fits * _fit(prompts))
    return PlannedModel(uri, seeds * len(own), models, rows, low / 60, high / 60)


def _models(control: Mapping[str, int]) -> int:
    return sum(control.values())


def _work(one: Planned, control: Mapping[str, int], again: float, prompts: int) -> float:
    """Rows that a verification beside its base is worth: treated and control models, and their fits."""
    controlled = sum(line.rows for line in one.plan.benchmarks if line.models > 2)
    treated = sum(line.rows for line in one.plan.benchmarks)
    fits = 1 + sum(n for family, n in control.items() if family in TRAINED)
    return again * (treated + _models(control) * controlled) + fits * _fit(prompts)


def _fit(prompts: int) -> float:
    """The rows that one fit on so many prompts is worth."""
    return FIT * EPOCHS * prompts


def _prompts(bias: Sequence[Benchmark]) -> int:
    """The training prompts of the first benchmark that has some."""
    return next((n for b in bias if (n := sum(not e.keep for e in b.examples()))), 0)
