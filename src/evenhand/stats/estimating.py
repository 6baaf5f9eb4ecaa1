"""Metrics over scores and their slices, with the intervals of their kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from evenhand.errors import BadData
from evenhand.metrics import Array, Columns, Metric, Sums, columns
from evenhand.records import Estimate, Score, Value
from evenhand.stats import resampling
from evenhand.stats.intervals import check_level, interval
from evenhand.stats.kinds import Interval, known, percentile, sums_error
from evenhand.stats.means import USUAL, Asked
from evenhand.stats.resampling import Block, Resampling, check_resamples, codes_of, drawn_blocks, several
from evenhand.stats.sums import Figure, Part, figure, values, widest


def replicates(
    metric: Metric,
    scores: Sequence[Score],
    *,
    weights: Array | Resampling | None = None,
    seed: int = 0,
    B: int = 1000,
) -> Array:
    """The metric in every bootstrap resample, shape [B], NaN where undefined.

    `weights` [B, n] as from `resamples`, or a `Resampling` of these items, are used as they are; without them
    clusters (`Score.cluster`) are resampled `B` times under `seed`. Replicates of two models with the same
    weights or seed are paired.

    Raises:
        BadData: a column that the metric reads is missing, or `weights` has not one column an item.
    """
    drawn = _drawn(scores, B, seed) if weights is None else weights
    _check_fits(drawn, len(scores))
    if not scores:
        return np.full(len(drawn), np.nan)
    part = _whole(table_for(metric, columns(scores)), drawn)
    how = figure(metric, part, point(metric, part.table))
    return values([how], _blocks(drawn, widest([how]), keep=weights is not None))[0]


def estimate(
    metric: Metric,
    scores: Sequence[Score],
    *,
    weights: Array | Resampling | None = None,
    seed: int = 0,
    B: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """The metric over `scores` with the interval of its kind (`evenhand.stats.kinds`).

    `n` counts the items whose own value is defined, `undefined` the rest. The value is None when undefined;
    the interval is None as well then, when the defined items belong to a single cluster, when nothing varies
    and nothing bounds it, or when more than 5 % of the resamples are undefined. `weights`, `seed` and `B` as
    in `replicates`; under a matrix of weights every interval is the plain percentile one.

    Raises:
        BadData: a column that the metric reads is missing, or `weights` has not one column an item.
        UsageError: `level` is not strictly between 0 and 1.
    """
    return estimates((metric,), scores, weights=weights, seed=seed, B=B, level=level)[metric.name]


def estimates(
    metrics: Sequence[Metric],
    scores: Sequence[Score],
    *,
    weights: Array | Resampling | None = None,
    seed: int = 0,
    B: int = 1000,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """The `estimate` of each metric, by its name; they share the resamples, which are drawn once.

    Raises:
        BadData: as for `estimate`.
        UsageError: as for `estimate`.
    """
    check_level(level)
    if not scores:
        return _of_nothing(metrics, level)
    drawn = _drawn(scores, B, seed) if weights is None else weights
    _check_fits(drawn, len(scores))
    part = _whole(columns(scores), drawn)
    if isinstance(drawn, Resampling):
        found = _Table(metrics, part, part.codes, asked_for(level, drawn.seed, len(drawn)))
    else:
        found = _Table(metrics, part, codes_of([s.cluster for s in scores], len(scores))[0], None)
    blocks = _blocks(drawn, widest(found.figures), keep=weights is not None)
    return found.estimates(values(found.figures, blocks) if found.figures else [], level)


def linear_error(metric: Metric, scores: Sequence[Score]) -> Value:
    """The linearised standard error over clusters of a mean, a share or a ratio of sums.

    It is what bootstrap-t studentises and what Student's t is times. None for figures of other kinds, and
    where the figure is undefined.

    Raises:
        BadData: as for `estimate`.
    """
    if not isinstance(metric.kind, Sums) or not scores:
        return None
    table = table_for(metric, columns(scores))
    return sums_error(metric.kind, table, codes_of([s.cluster for s in scores], len(scores))[0])


def asked_for(level: float, seed: int, B: int) -> Asked:
    """What is asked of a bootstrap-t interval: the usual number of draws at least, for they cost little."""
    return Asked(level, seed, max(B, USUAL.draws))


def estimates_by_slice(
    metrics: Sequence[Metric],
    scores: Sequence[Score],
    slices: Mapping[str, Sequence[int]],
    *,
    seed: int = 0,
    B: int = 1000,
    level: float = 0.95,
) -> dict[str, dict[str, Estimate]]:
    """The `estimates` of each of the `slices` of `scores`, in their order, as if each stood alone.

    A slice is the places of its items. All slices with as many clusters share one set of resamples.

    Raises:
        BadData: as for `estimate`.
        UsageError: `B` is below 1, or `level` not strictly between 0 and 1.
    """
    check_resamples(B)
    check_level(level)
    asked = asked_for(level, seed, B)
    table, codes = columns(scores), codes_of([s.cluster for s in scores], len(scores))[0]
    parts = ((name, _slice(table, codes, items)) for name, items in slices.items() if len(items))
    tables = {name: _Table(metrics, part, part.codes, asked) for name, part in parts}
    found = {}
    by_size = sorted(tables.items(), key=lambda item: item[1].size)
    for size, same in groupby(by_size, key=lambda item: item[1].size):
        there = list(same)
        figures = [one for _, held in there for one in held.figures]
        # Equal numbers of clusters have equal draws under one seed, whatever the clusters are.
        blocks = drawn_blocks(size, B, seed, max(size, widest(figures))) if figures else ()
        every = iter(values(figures, blocks))
        for name, held in there:
            found[name] = held.estimates([next(every) for _ in held.figures], level)
    return {name: found[name] if name in found else _of_nothing(metrics, level) for name in slices}


class _Table:
    """Some items with all metrics: which values are defined, and how the intervals are computed.

    Without `asked` all intervals are those of resamples, as they are.
    """

    def __init__(
        self, metrics: Sequence[Metric], part: Part, clusters: resampling.Codes, asked: Asked | None
    ) -> None:
        self._metrics, self._n, self.size, self._plain = metrics, part.table.n, part.size, asked is None
        self._defined = {m.name: m.items(table_for(m, part.table)) for m in metrics}
        self._values = {m.name: point(m, part.table) for m in metrics}
        sure = [
            m
            for m in metrics
            if self._values[m.name] is not None and several(clusters[self._defined[m.name]])
        ]
        self._known: dict[str, Interval] = {}
        self._resampled = [m for m in sure if m.kind is None or asked is None]
        for m in sure:
            if asked is not None and m.kind is not None:
                self._known[m.name] = known(m, part.table, self._defined[m.name], part.codes, asked)
        self._clusters = {
            m.name: len(resampling.held(clusters[self._defined[m.name]])) for m in self._resampled
        }
        self.figures: list[Figure] = [figure(m, part, self._values[m.name]) for m in self._resampled]

    def estimates(self, drawn: Sequence[Array], level: float) -> dict[str, Estimate]:
        """The estimate of every metric; `drawn` are the resampled values of `figures`."""
        ends = {m.name: self._of(m, one, level) for m, one in zip(self._resampled, drawn, strict=True)}
        found = {}
        for m in self._metrics:
            n = int(self._defined[m.name].sum())
            held = ends.get(m.name) or self._known.get(m.name) or Interval()
            figure = Estimate(self._values[m.name], None, None, n, m.ideal, self._n - n, level)
            found[m.name] = with_interval(figure, held)
        return found

    def _of(self, metric: Metric, drawn: Array, level: float) -> Interval:
        clusters = self._clusters[metric.name]
        if self._plain:
            return Interval.of(interval(drawn, level), "percentile", clusters)
        return percentile(drawn, clusters, level, (metric.low, metric.high))


def with_interval(figure: Estimate, held: Interval) -> Estimate:
    """The `figure` with the interval `held`."""
    return replace(figure, low=held.low, high=held.high, method=held.method, few_clusters=held.few)


def _of_nothing(metrics: Iterable[Metric], level: float) -> dict[str, Estimate]:
    return {m.name: Estimate(None, None, None, 0, m.ideal, 0, level) for m in metrics}


def _drawn(scores: Sequence[Score], B: int, seed: int) -> Resampling:
    return Resampling([s.cluster for s in scores], len(scores), B, seed)


def _check_fits(drawn: Array | Resampling, n: int) -> None:
    shape = (len(drawn), drawn.n) if isinstance(drawn, Resampling) else drawn.shape
    if len(shape) != 2 or shape[1] != n:
        raise BadData(f"Weights of shape {shape} for {n} items.", mend="Give one column for each item.")


def _whole(table: Columns, drawn: Array | Resampling) -> Part:
    """All items; under given weights each item is its own cluster."""
    if isinstance(drawn, Resampling):
        return Part(table, drawn.codes, drawn.size)
    return Part(table, np.arange(table.n), table.n)


def _blocks(drawn: Array | Resampling, widest: int, *, keep: bool) -> Iterator[Block]:
    if isinstance(drawn, Resampling):
        yield from drawn.blocks(widest, keep=keep)
        return
    rows = max(1, resampling.CELLS // max(drawn.shape[1], 1))
    for start in range(0, len(drawn), rows):
        yield Block(counts=np.asarray(drawn[start : start + rows], dtype=np.float64))


def _slice(table: Columns, codes: resampling.Codes, items: Sequence[int]) -> Part:
    """The items at the places `items`, with the clusters that they have, in the order of their names."""
    places = np.asarray(items, dtype=np.intp)
    names, own = resampling.renumbered(codes[places])
    return Part(
        Columns({name: column[places] for name, column in table.values.items()}, len(places)),
        own,
        len(names),
    )


def point(metric: Metric, table: Columns) -> Value:
    """The metric with every item counted once; None where undefined."""
    value = float(metric.compute(table, np.ones((1, table.n)))[0])
    return value if np.isfinite(value) else None


def table_for(metric: Metric, table: Columns) -> Columns:
    """`table`, if it has everything that `metric` reads.

    Raises:
        BadData: a column is missing.
    """
    try:
        for name in metric.needs if table.n else ():
            table.group(name[:-2]) if name.endswith(".*") else table[name]
    except KeyError as error:
        raise BadData(
            f"The metric {metric.name!r} reads {', '.join(metric.needs)}, but the scores lack {error}.",
            mend="Use a metric that the benchmark lists, or a benchmark that gives these values.",
        ) from None
    return table
