"""Before and after: the paired change of every metric, with its interval and its p-value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evenhand import registry, stats
from evenhand.metrics import Array, Columns, Metric, columns, mean_under
from evenhand.progress import task
from evenhand.records import Effect, Estimate, Measurement, Score, Value
from evenhand.stats.hypothesis import mean_test
from evenhand.stats.means import Asked
from evenhand.studies.distance import relative_change
from evenhand.studies.pairing import paired_scores, partner

RESAMPLES = 1000
_BLOCK = 64  # items whose own values are computed at once, with an identity matrix of as many rows


def effects(
    before: Sequence[Measurement], after: Sequence[Measurement], *, seed: int = 0, B: int = RESAMPLES
) -> list[Effect]:
    """The effect on every metric that both sides report, benchmark by benchmark, in the order of `before`.

    Intervals are those of the metrics' kinds, with `B` paired resamples where these are needed; p-values
    come from the test of a mean over clusters (`evenhand.stats.hypothesis`), as they are and adjusted by
    Holm's method over the metrics of one benchmark. A metric that is not a mean over items (a perplexity, a
    slope) has no such test: its p-values are None.

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
    pair = stats.Paired(*paired_scores(before, after))
    metrics = [registry.get("metric", name) for name in before.metrics if name in after.metrics]
    changes = stats.paired_changes(metrics, pair, seed=seed, B=B)
    raw = [_p_value(metric, pair, seed) for metric in metrics]
    return [
        _effect(before, after, changes[metric.name], metric.name, both)
        for metric, both in zip(metrics, zip(stats.holm(raw), raw, strict=True), strict=True)
    ]


def _effect(
    before: Measurement, after: Measurement, change: Estimate, name: str, p: tuple[Value, Value]
) -> Effect:
    """The effect with `p`, the p-value adjusted and as it is."""
    start, end = before.metrics[name], after.metrics[name]
    return Effect(before.benchmark, name, start, end, change, relative_change(name, start, change), *p)


def _p_value(metric: Metric, pair: stats.Paired, seed: int) -> Value:
    """The p-value that the items' mean difference is 0; None for a metric that is no mean of items."""
    before, after = (_own_values(metric, part.table) for part in (pair.before, pair.after))
    if before is None or after is None:
        return None
    return mean_test(after - before, pair.before.codes, asked=Asked(seed=seed))


def per_item(metric: Metric, scores: Sequence[Score]) -> Array | None:
    """Each item's value, shape [n], NaN where undefined; None if `metric` is not a mean over items.

    An item's value is what the metric gives for it, or else the metric over that item alone. Whether the
    metric is their mean is tested on the whole table and on weighted ones: a ratio or a slope does not pass.
    """
    return _own_values(metric, columns(scores))


def _own_values(metric: Metric, table: Columns) -> Array | None:
    if not table.n:
        return None
    values = _alone(metric, table) if metric.per_item is None else metric.per_item(table)
    if not np.isfinite(values).any():
        return None
    weights = np.arange(table.n)
    probes = np.stack([np.ones(table.n), 1.0 + weights % 3, 1.0 + weights % 7])
    agrees = np.allclose(
        metric.compute(table, probes), mean_under(values, probes), rtol=1e-9, atol=1e-12, equal_nan=True
    )
    return values if agrees else None


def _alone(metric: Metric, table: Columns) -> Array:
    """The metric over each item alone, [n]. Work grows with n, since a block holds its own items only."""
    found = []
    for start in range(0, table.n, _BLOCK):
        own = {name: column[start : start + _BLOCK] for name, column in table.values.items()}
        size = min(_BLOCK, table.n - start)
        found.append(metric.compute(Columns(own, size), np.eye(size)))
    return np.concatenate(found)
