"""Figures of all resamples at once: metrics as functions of sums over clusters, many of them in one product.

A resample is how often each cluster counts. A mean needs two sums of every cluster, a figure made of counts
(`Metric.by_rows`) how many items of each kind a cluster has; both are added up once, and one product with
the counts of a block gives the sums of all metrics and slices. Where there are only a few kinds of clusters
(items of their own, with a handful of different rows) not even the matrix of counts is made: the draws are
counted by kind. Other metrics get the items' weights, as `ClusterWeights`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evenhand.metrics import Array, Columns, Metric
from evenhand.stats import resampling
from evenhand.stats.resampling import Block, Codes
from evenhand.stats.weights import ClusterWeights, added

_FEW = 64  # kinds of values beyond which a column is taken for a continuous one
_SHARE = 4  # kinds are used where there are at most a quarter as many as clusters


@dataclass(frozen=True)
class Part:
    """Items that are measured together: their columns, each one's cluster [n], and the number of clusters.

    The clusters are those that are drawn; there may be some without any of the items.
    """

    table: Columns
    codes: Codes
    size: int

    def only(self, keep: Array | np.ndarray) -> Part:
        """The items that `keep` [n] marks, under the same draws."""
        if keep.all():
            return self
        values = {name: column[keep] for name, column in self.table.values.items()}
        return Part(Columns(values, int(keep.sum())), self.codes[keep], self.size)


@dataclass(frozen=True)
class Summed:
    """A figure as `of` sums [rows, m]; a cluster has the row of `sums` [kinds, m] that `kinds` [C] names.

    `kinds` is None where every cluster has a row of its own.
    """

    sums: Array
    kinds: Codes | None
    of: Callable[[Array], Array]


@dataclass(frozen=True)
class Weighed:
    """A figure that is computed from the weights of the items of `part`."""

    metric: Metric
    part: Part


Figure = Summed | Weighed


def figure(metric: Metric, part: Part, value: float | None) -> Figure:
    """How `metric` over the items of `part` is computed under resamples; `value` is the figure itself."""
    if metric.per_item is not None:
        return _mean(metric.per_item(part.table), part, value) or Weighed(metric, part)
    return (_counted(metric, part) if metric.by_rows else None) or Weighed(metric, part)


def values(figures: Sequence[Figure], blocks: Iterable[Block]) -> list[Array]:
    """Each of `figures` under every resample of `blocks`, [B]. All are of the same clusters."""
    found: list[list[Array]] = [[] for _ in figures]
    batches = _batches(figures)
    for block in blocks:
        for batch in batches:
            for place, sums in batch.of(block):
                one = figures[place]
                assert isinstance(one, Summed)
                found[place].append(one.of(sums))
        weights: dict[int, ClusterWeights] = {}  # one object for all metrics of the same items
        for place, one in enumerate(figures):
            if isinstance(one, Weighed):
                own = weights.setdefault(id(one.part.codes), ClusterWeights(block.counts, one.part.codes))
                found[place].append(np.asarray(one.metric.compute(one.part.table, own)))  # type: ignore[arg-type]
    return [np.concatenate(rows) for rows in found]


def widest(figures: Sequence[Figure]) -> int:
    """The most items whose weights a figure may make whole; 0 where all are made of sums."""
    return max((one.part.table.n for one in figures if isinstance(one, Weighed)), default=0)


def _mean(x: Array, part: Part, value: float | None) -> Summed | None:
    """A mean of items `x` [n] by its two sums; None if `value` is not that mean."""
    defined = np.isfinite(x)
    count = int(defined.sum())
    held = np.where(defined, x, 0.0)
    slack = 1e-9 * np.abs(held).max(initial=0.0)
    if value is None or not count or abs(held.sum() / count - value) > slack:
        return None
    if part.size == part.table.n:  # every item is its own cluster
        few = _few(x)
        if few is not None:
            kinds = np.empty(part.size, dtype=np.intp)
            kinds[part.codes] = few[1]
            known = np.isfinite(few[0])
            return Summed(np.stack([np.where(known, few[0], 0.0), known], axis=1), kinds, _ratio)
    sums = added(np.stack([held, defined.astype(np.float64)], axis=1), part.codes, part.size)
    return Summed(sums, None, _ratio)


def _ratio(sums: Array) -> Array:
    total = sums[:, 1]
    found: Array = np.divide(sums[:, 0], total, out=np.full(len(sums), np.nan), where=total > 0)
    return found


def _few(x: Array) -> tuple[Array, Codes] | None:
    """The different values of `x` [n] and each one's number [n]; None where they are many."""
    if len(np.unique(x[: 4 * _FEW])) > _FEW:
        return None
    found = np.unique(x)  # an undefined value is one of them, the last
    return (found, np.searchsorted(found, x)) if len(found) <= min(_FEW, len(x) // _SHARE) else None


def _counted(metric: Metric, part: Part) -> Summed | None:
    """A figure made of counts by how many items of each kind a cluster has; None where kinds are many."""
    found = _cells(metric, part.table)
    if found is None:
        return None
    table, cell = found
    if part.size == part.table.n:
        kinds = np.empty(part.size, dtype=np.intp)
        kinds[part.codes] = cell
        return Summed(np.eye(table.n), kinds, lambda counts: metric.compute(table, counts))
    if part.size * table.n > resampling.CELLS:
        return None
    counts = np.bincount(part.codes * table.n + cell, minlength=part.size * table.n)
    sums = counts.reshape(part.size, table.n).astype(np.float64)
    return Summed(sums, None, lambda weights: metric.compute(table, weights))


def _cells(metric: Metric, table: Columns) -> tuple[Columns, Codes] | None:
    """One row of each kind, in the columns that `metric` reads, and each item's kind [n]; None if many."""
    names = [name for name in table.values if any(_reads(need, name) for need in metric.needs)]
    cell, k = np.zeros(table.n, dtype=np.intp), 1
    for name in names:
        few = _few(table[name])
        if few is None:
            return None
        _, cell = np.unique(cell * len(few[0]) + few[1], return_inverse=True)
        cell, k = cell.reshape(-1), int(cell.max(initial=0)) + 1
        if k * _SHARE > table.n:
            return None
    first = np.zeros(k, dtype=np.intp)
    first[cell[::-1]] = np.arange(table.n)[::-1]
    return Columns({name: table[name][first] for name in names}, k), cell


def _reads(need: str, name: str) -> bool:
    return name.startswith(need[:-1]) if need.endswith(".*") else name == need


class _Batch:
    """Sums of several figures by one product: the columns of all side by side, equal ones once."""

    def __init__(self, sums: Array, kinds: Codes | None, columns: dict[int, list[int]]) -> None:
        self._sums, self._kinds, self._columns = sums, kinds, columns

    def of(self, block: Block) -> list[tuple[int, Array]]:
        """Each figure's place, and its sums [rows, m] under the resamples of `block`."""
        counts = block.counts if self._kinds is None else block.of_kinds(self._kinds, len(self._sums))
        sums = counts @ self._sums
        return [(place, sums[:, columns]) for place, columns in self._columns.items()]


def _batches(figures: Sequence[Figure]) -> list[_Batch]:
    """The figures of sums in at most two products: those of few kinds of clusters, and the others."""
    summed = {place: one for place, one in enumerate(figures) if isinstance(one, Summed)}
    kinds, first, few = _joint(summed)
    rest = [place for place in summed if place not in few]
    found = []
    if few:
        rows = {place: summed[place].sums[_kinds(summed[place])[first]] for place in few}
        found.append(_beside(rows, kinds))
    if rest:
        found.append(_beside({place: _each(summed[place]) for place in rest}, None))
    return found


def _joint(summed: dict[int, Summed]) -> tuple[Codes, Codes, list[int]]:
    """Kinds of clusters [C] by all figures that keep them few, one cluster of each, and those figures."""
    kinds: Codes = np.zeros(0, dtype=np.intp)
    few: list[int] = []
    for place, one in summed.items():
        if one.kinds is None:
            continue
        both = one.kinds if not few else kinds * len(one.sums) + one.kinds
        _, numbers = np.unique(both, return_inverse=True)
        if (int(numbers.max()) + 1) * _SHARE <= len(both):
            kinds = numbers.reshape(-1)
            few.append(place)
    first = np.unique(kinds, return_index=True)[1]
    return kinds, first, few


def _kinds(one: Summed) -> Codes:
    return np.arange(len(one.sums)) if one.kinds is None else one.kinds


def _each(one: Summed) -> Array:
    """The sums of each cluster, [C, m]."""
    return one.sums if one.kinds is None else one.sums[one.kinds]


def _beside(rows: dict[int, Array], kinds: Codes | None) -> _Batch:
    """The columns of all `rows` [k, m] side by side; the places that each figure has among them."""
    held: list[Array] = []
    known: dict[int, list[int]] = {}  # places by the hash of a column
    columns: dict[int, list[int]] = {}
    for place, sums in rows.items():
        columns[place] = [_place(column, held, known) for column in sums.T]
    return _Batch(np.stack(held, axis=1), kinds, columns)


def _place(column: Array, held: list[Array], known: dict[int, list[int]]) -> int:
    """Where `column` stands in `held`, to which it is added if it is new."""
    same = known.setdefault(hash(column.tobytes()), [])
    for place in same:
        if np.array_equal(held[place], column):
            return place
    held.append(column)
    same.append(len(held) - 1)
    return same[-1]
