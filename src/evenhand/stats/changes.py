"""The change between two measurements of the same items, paired."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import NotComparable
from evenhand.metrics import Array, Metric, columns
from evenhand.records import Estimate, Score
from evenhand.stats.estimating import asked_for, point, table_for, with_interval
from evenhand.stats.intervals import check_level
from evenhand.stats.kinds import Interval, combined_change, known, known_change, percentile_change
from evenhand.stats.means import Asked
from evenhand.stats.resampling import Resampling, codes_of, held, several
from evenhand.stats.sums import Figure, Part, figure, values, widest


class Paired:
    """Two measurements of the same items, item by item: the columns of both, made once for all metrics.

    Attributes:
        before: the columns of the first, and the items' clusters.
        after: the columns of the second in the order of the first, and the same clusters.

    Raises:
        NotComparable: the two do not hold the same samples.
    """

    def __init__(self, before: Sequence[Score], after: Sequence[Score]) -> None:
        ordered = aligned(before, after)
        clusters = codes_of([s.cluster for s in before], len(before))
        self.before = Part(columns(before), *clusters)
        self.after = Part(columns(ordered), *clusters)
        self.clusters = [s.cluster for s in before]


def paired_change(
    metric: Metric,
    before: Sequence[Score],
    after: Sequence[Score],
    *,
    seed: int = 0,
    B: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """The change after - before on the same items, with the paired interval of the metric's kind.

    Items that are undefined on either side are left out of *both* (and counted in `undefined`), so the
    change never mixes different items. `ideal` is None: a change has none.

    Raises:
        NotComparable: the two do not hold the same samples.
        BadData: a column that the metric reads is missing.
        UsageError: `level` is not strictly between 0 and 1.
    """
    return paired_changes((metric,), Paired(before, after), seed=seed, B=B, level=level)[metric.name]


def paired_changes(
    metrics: Sequence[Metric], pair: Paired, *, seed: int = 0, B: int = 1000, level: float = 0.95
) -> dict[str, Estimate]:
    """The `paired_change` of each metric, by its name; they share the columns and the resamples.

    Raises:
        BadData: a column that a metric reads is missing.
    """
    check_level(level)
    drawn = Resampling(pair.clusters, len(pair.clusters), B, seed)
    asked = asked_for(level, seed, B)
    changes = [_Change(metric, pair, asked) for metric in metrics]
    figures = [one for change in changes for one in change.figures]
    every = iter(values(figures, drawn.blocks(widest(figures)) if figures else ()))
    found = {}
    for change in changes:
        held = change.known or Interval()
        if change.figures:
            held = change.of(next(every), next(every), level)
        left_out = len(pair.clusters) - change.n
        plain = Estimate(change.value, None, None, change.n, None, left_out, level)
        found[change.metric.name] = with_interval(plain, held)
    return found


class _Change:
    """The change of one metric over the items that are defined on both sides."""

    def __init__(self, metric: Metric, pair: Paired, asked: Asked) -> None:
        self.metric = metric
        self.value: float | None = None
        self.n, self.clusters = 0, 0
        self.known: Interval | None = None
        self.figures: list[Figure] = []  # before and after; none where no resamples are needed
        self.sides: tuple[tuple[float, Interval], ...] = ()  # of a known kind, each with its own interval
        if not pair.clusters:
            return
        tables = [table_for(metric, part.table) for part in (pair.before, pair.after)]
        keep: NDArray[np.bool_] = metric.items(tables[0]) & metric.items(tables[1])
        self.n = int(keep.sum())
        parts = [part.only(keep) for part in (pair.before, pair.after)]
        first, last = (point(metric, part.table) for part in parts)
        if first is None or last is None:
            return
        self.value = last - first
        if not several(parts[0].codes):
            return
        self.known = known_change(metric, parts[0].table, parts[1].table, parts[0].codes, asked)
        if self.known is None:
            if metric.kind is not None:
                whole = np.ones(self.n, dtype=bool)
                self.sides = tuple(
                    (value, known(metric, part.table, whole, part.codes, asked, bounded=False))
                    for value, part in zip((first, last), parts, strict=True)
                )
            self.clusters = len(held(parts[0].codes))
            self.figures = [
                figure(metric, part, value) for part, value in zip(parts, (first, last), strict=True)
            ]

    def of(self, before: Array, after: Array, level: float) -> Interval:
        """The interval, with the resampled figures [B] of before and after."""
        if self.sides:
            return combined_change(self.metric, self.sides, (before, after))
        return percentile_change(self.metric, before, after, self.clusters, level)


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
