"""Before and after: the paired change of every metric, with its interval and its p-value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evenhand import registry, stats
from evenhand.metrics import Array, Metric, columns, mean_under
from evenhand.progress import task
from evenhand.records import Effect, Measurement, Score, Value
from evenhand.studies.pairing import paired_scores, partner

RESAMPLES = 1000
_BLOCK = 512  # rows of the identity matrix at once, to limit memory for many items


def effects(
    before: Sequence[Measurement], after: Sequence[Measurement], *, seed: int = 0, B: int = RESAMPLES
) -> list[Effect]:
    """The effect on every metric that both sides report, benchmark by benchmark, in the order of `before`.

    Intervals come from `B` paired cluster resamples; p-values from the sign-flip test of whole clusters,
    adjusted by Holm's method over the metrics of one benchmark. A metric that is not a mean over items (a
    perplexity, a slope) has no such test: its p-value is None.

    Raises:
        NotComparable: a benchmark is missing on one side, or was taken under different protocols or on
            different items; the message names what differs.
    """
    if len(after) != len(before):
        for measurement in after:
            partner(measurement, before)
    found: list[Effect] = []
    with task("comparing before and after", len(before), unit="benchmark", late=True) as advance:
        for old in before:
            found += benchmark_effects(old, partner(old, after), seed=seed, B=B)
            advance(1)
    return found


def benchmark_effects(
    before: Measurement, after: Measurement, *, seed: int, B: int = RESAMPLES
) -> list[Effect]:
    """The effects on one benchmark; arguments and errors as for `effects`."""
    old, new = paired_scores(before, after)
    names = [name for name in before.metrics if name in after.metrics]
    found = [
        _effect(before, after, registry.get("metric", name), (old, new), seed=seed, B=B) for name in names
    ]
    adjusted = stats.holm([effect.p_value for effect in found])
    return [replace(effect, p_value=p) for effect, p in zip(found, adjusted, strict=True)]


def _effect(
    before: Measurement,
    after: Measurement,
    metric: Metric,
    scores: tuple[Sequence[Score], Sequence[Score]],
    *,
    seed: int,
    B: int,
) -> Effect:
    change = stats.paired_change(metric, *scores, seed=seed, B=B)
    start, end = before.metrics[metric.name], after.metrics[metric.name]
    relative = None if change.value is None or not start.value else change.value / start.value
    p = _permutation(metric, *scores, seed=seed)
    return Effect(before.benchmark, metric.name, start, end, change, relative, p)


def _permutation(metric: Metric, old: Sequence[Score], new: Sequence[Score], *, seed: int) -> Value:
    before, after = per_item(metric, old), per_item(metric, new)
    if before is None or after is None:
        return None
    return stats.paired_permutation(after - before, [s.cluster for s in old], seed)


def per_item(metric: Metric, scores: Sequence[Score]) -> Array | None:
    """Each item's value, shape [n], NaN where undefined; None if `metric` is not a mean over items.

    An item's value is the metric over that item alone. Whether the metric is their mean is tested on the
    whole table and on weighted tables: a ratio or a slope does not pass.
    """
    if not scores:
        return None
    table, n = columns(scores), len(scores)
    rows = (np.eye(min(_BLOCK, n - i), n, i) for i in range(0, n, _BLOCK))
    values = np.concatenate([metric.compute(table, block) for block in rows])
    probes = np.stack([np.ones(n), 1.0 + np.arange(n) % 3, 1.0 + np.arange(n) % 7])
    agrees = np.allclose(
        metric.compute(table, probes), mean_under(values, probes), rtol=1e-9, atol=1e-12, equal_nan=True
    )
    return values if agrees and np.isfinite(values).any() else None
