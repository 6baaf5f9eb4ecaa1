"""What a verification has ahead of it, by what its base took: the same for `verify` and for `plan`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from evenhand.benchmarks import Benchmark
from evenhand.models import Model
from evenhand.records import Estimate, TrainingExample, Value
from evenhand.studies import control_models
from evenhand.studies.distance import distance
from evenhand.studies.forecast import EPOCHS, Forecast, forecast
from evenhand.studies.margins import Margins
from evenhand.studies.measure import fits_family, take
from evenhand.studies.options import VerifyOptions

ITEMS = (2, 8, 32)  # of each benchmark that are measured to time it: fewer where they take long
_FEW = 8  # items that an interval may rest on
LONGEST = 10.0  # seconds that a larger number of items may be expected to take
_WARM = 4  # items that are measured first, untimed
_POWER = 2.8  # standard errors that an effect needs to be certain (2.5 %) with a probability of 80 %


@dataclass(frozen=True)
class Sampled:
    """What a few items of each benchmark tell: how long all of them take, in seconds, and of the metric that
    the verdict is about the smallest fall that these items could show.

    `smallest` is in the metric's unit, at least the smallest relevant effect; None where the metric is
    undefined or has no interval.
    """

    seconds: float
    smallest: Value


def ahead(
    measured: float,
    benchmarks: Sequence[Benchmark],
    examples: Sequence[TrainingExample],
    *,
    method: object | None,
    controls: control_models.Asked,
    fits: int = 1,
) -> Forecast:
    """What follows a base whose `benchmarks` took `measured` seconds: fits, treated and control models.

    `method` is fitted on `examples`; None where the treated model is there already.
    """
    items = sum(len(b.load()) for b in benchmarks)
    trained = sum(1 for example in examples if not example.keep)
    effort, own = getattr(method, "effort", None), getattr(method, "epochs", None) or EPOCHS
    return forecast(
        measured=measured,
        prompts=measured * trained / max(1, items) if method is not None else 0.0,
        epochs=(own if effort is None else effort(trained), own),
        looks=control_models.looks(controls.extent),
        families=tuple(control_models.counts(controls.extent, shammed=controls.shammed)),
        fits=fits,
    )


def sampled(
    model: Model,
    bias: Sequence[Benchmark],
    capability: Sequence[Benchmark],
    primary: str,
    options: VerifyOptions,
) -> Sampled:
    """Measure some items of each benchmark on the model.

    Raises:
        EvenhandError: it cannot be asked.
    """
    asked = [b for b in (*bias, *capability) if fits_family(model, b)]
    for first in asked[:1]:
        take(model, first, limit=_WARM)
    seconds, smallest = 0.0, None
    for benchmark in asked:
        took, share, found = _timed(model, benchmark, primary, options)
        seconds += took
        if found is not None and smallest is None and benchmark in bias:
            smallest = _smallest(benchmark, primary, found, share)
    return Sampled(seconds, smallest)


def _timed(
    model: Model, benchmark: Benchmark, primary: str, options: VerifyOptions
) -> tuple[float, float, Estimate | None]:
    """How long all items take, which share of them was measured for that, and the primary figure on those.

    A generated text takes seconds and a probability milliseconds, so that a few items say how many to take.
    The difference of the fewest and the most leaves out what takes as long for any number; at least half of
    what the most alone would say, since such times scatter. No figure of a few.
    """
    every = len(benchmark.load())
    wanted = every if options.limit is None else min(options.limit, every)
    number, took, each, figure = 0, 0.0, 0.0, None
    fewest = (0, 0.0)  # items, and what they took
    for larger in (min(items, wanted) for items in ITEMS):
        if larger == number or took + each * (larger - number) > LONGEST:
            break
        start = time.monotonic()
        figure = take(model, benchmark, seed=options.seed, limit=larger).metrics.get(primary)
        number, took = larger, time.monotonic() - start
        if fewest[0]:
            each = max(took - fewest[1], 0.0) / (number - fewest[0])
        else:
            fewest = number, took  # mostly what any number takes, so that nothing is expected of it
    alone = took / number * wanted
    whole = max(took + each * (wanted - number), alone / 2) if number > fewest[0] else alone
    return whole, number / wanted, figure if number >= min(_FEW, wanted) else None


def _smallest(benchmark: Benchmark, primary: str, found: Estimate, share: float) -> Value:
    """The smallest fall of a figure on all items that is certain with a probability of 80 %.

    The standard error on a `share` of the items, times the root of it, is that on all of them; that of a
    change is taken for the root of two times it, as if before and after had nothing in common. As pairs they
    have, so that smaller effects may be seen.
    """
    metric = next(m for m in benchmark.metrics if m.name == primary)
    if found.value is None or found.low is None or found.high is None or metric.ideal is None:
        return None
    error = (found.high - found.low) / (2 * 1.96) * share**0.5
    away = distance(metric, found.value)
    relevant = max(Margins().equivalence * max(away.value(found.value) or 0.0, 0.0), away.step)
    return float(max(relevant, _POWER * 2**0.5 * error))
