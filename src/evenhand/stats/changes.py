"""The change between two measurements of the same items, paired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import NotComparable
from evenhand.metrics import Array, Columns, Metric, columns
from evenhand.records import Estimate, Score, Value
from evenhand.stats.estimates import point, table_for
from evenhand.stats.intervals import interval
from evenhand.stats.resampling import codes_of, several, weight_blocks


def paired_change(
    metric: Metric,
    before: Sequence[Score],
    after: Sequence[Score],
    *,
    seed: int = 0,
    B: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """The change after - before on the same items, with the paired cluster-bootstrap interval.

    Items that are undefined on either side are left out of *both* (and counted in `undefined`), so the
    change never mixes different items. `ideal` is None: a change has none.

    Raises:
        NotComparable: the two do not hold the same samples.
        BadData: a column that the metric reads is missing.
    """
    after = aligned(before, after)
    if not before:
        return Estimate(None, None, None, 0, None, 0, level)
    tables = [table_for(metric, columns(scores)) for scores in (before, after)]
    keep = metric.items(tables[0]) & metric.items(tables[1])
    old, new = (_only(table, keep) for table in tables)
    n = int(keep.sum())
    first, last = point(metric, old), point(metric, new)
    value = None if first is None or last is None else last - first
    low: Value = None
    high: Value = None
    if value is not None and several(codes_of([s.cluster for s in before], len(before))[0], keep):
        low, high = interval(_changes(metric, old, new, weight_blocks(before, None, B, seed), keep), level)
    return Estimate(value, low, high, n, None, len(before) - n, level)


def aligned(before: Sequence[Score], after: Sequence[Score]) -> Sequence[Score]:
    """`after` in the order of `before`, matched by sample id.

    Raises:
        NotComparable: the two do not hold the same samples, or ids repeat so that no match is certain.
    """
    old, new = [s.sample for s in before], [s.sample for s in after]
    if old == new:
        return after
    by_id = {s.sample: s for s in after}
    if sorted(old) != sorted(new) or len(by_id) != len(new):
        only_old, only_new = len(set(old) - set(new)), len(set(new) - set(old))
        raise NotComparable(
            f"The two measurements hold different samples: {only_old} only before, {only_new} only after "
            f"({len(old)} and {len(new)} in all).",
            mend="Measure both models on the same benchmark with the same options and limit.",
        )
    return [by_id[sample] for sample in old]


def _changes(
    metric: Metric, old: Columns, new: Columns, blocks: Iterator[Array], keep: NDArray[np.bool_]
) -> Array:
    kept = (block if keep.all() else block[:, keep] for block in blocks)
    return np.concatenate([metric.compute(new, w) - metric.compute(old, w) for w in kept])


def _only(table: Columns, keep: NDArray[np.bool_]) -> Columns:
    return Columns({name: column[keep] for name, column in table.values.items()}, int(keep.sum()))
