"""Metrics over scores, with their cluster-bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evenhand.errors import BadData
from evenhand.metrics import Array, Columns, Metric, columns
from evenhand.records import Estimate, Score, Value
from evenhand.stats.intervals import interval
from evenhand.stats.resampling import blocks_of, codes_of, several, weight_blocks


def replicates(
    metric: Metric, scores: Sequence[Score], *, weights: Array | None = None, seed: int = 0, B: int = 1000
) -> Array:
    """The metric in every bootstrap resample, shape [B], NaN where undefined.

    `weights` [B, n] as from `resamples` are used as they are; without them clusters (`Score.cluster`) are
    resampled `B` times under `seed`. Replicates of two models with the same weights or seed are paired.

    Raises:
        BadData: a column that the metric reads is missing, or `weights` has not one column an item.
    """
    blocks = weight_blocks(scores, weights, B, seed)
    if not scores:
        return np.full(B if weights is None else len(weights), np.nan)
    table = table_for(metric, columns(scores))
    return np.concatenate([metric.compute(table, block) for block in blocks])


def estimate(
    metric: Metric,
    scores: Sequence[Score],
    *,
    weights: Array | None = None,
    seed: int = 0,
    B: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """The metric over `scores` with its cluster-bootstrap percentile interval.

    `n` counts the items whose own value is defined, `undefined` the rest. The value is None when undefined;
    the interval is None as well then, when the defined items belong to a single cluster, or when more than
    5 % of the resamples are undefined. `weights`, `seed` and `B` as in `replicates`.

    Raises:
        BadData: a column that the metric reads is missing, or `weights` has not one column an item.
    """
    return estimates((metric,), scores, weights=weights, seed=seed, B=B, level=level)[metric.name]


def estimates(
    metrics: Sequence[Metric],
    scores: Sequence[Score],
    *,
    weights: Array | None = None,
    seed: int = 0,
    B: int = 1000,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """The `estimate` of each metric, by its name; they share the resamples, which are drawn once.

    Raises:
        BadData: as for `estimate`.
    """
    if not scores:
        return {m.name: Estimate(None, None, None, 0, m.ideal, 0, level) for m in metrics}
    whole, codes = columns(scores), codes_of([s.cluster for s in scores], len(scores))
    tables = {m.name: table_for(m, whole) for m in metrics}
    defined = {m.name: m.items(tables[m.name]) for m in metrics}
    values = {m.name: point(m, tables[m.name]) for m in metrics}
    sure = [m for m in metrics if values[m.name] is not None and several(codes[0], defined[m.name])]
    drawn: dict[str, list[Array]] = {m.name: [] for m in sure}
    for block in blocks_of(weights, codes, B, seed) if sure else ():
        for m in sure:
            drawn[m.name].append(m.compute(tables[m.name], block))
    ends = {name: interval(np.concatenate(parts), level) for name, parts in drawn.items()}
    found = {}
    for m in metrics:
        n, (low, high) = int(defined[m.name].sum()), ends.get(m.name, (None, None))
        found[m.name] = Estimate(values[m.name], low, high, n, m.ideal, len(scores) - n, level)
    return found


def point(metric: Metric, table: Columns) -> Value:
    """The metric with every item counted once; None where undefined."""
    value = float(metric.compute(table, np.ones((1, table.n)))[0])
    return value if np.isfinite(value) else None


def table_for(metric: Metric, table: Columns) -> Columns:
    """`table`, if it has everything that `metric` reads."""
    try:
        for name in metric.needs if table.n else ():
            table.group(name[:-2]) if name.endswith(".*") else table[name]
    except KeyError as error:
        raise BadData(
            f"The metric {metric.name!r} reads {', '.join(metric.needs)}, but the scores lack {error}.",
            mend="Use a metric that the benchmark lists, or a benchmark that gives these values.",
        ) from None
    return table
