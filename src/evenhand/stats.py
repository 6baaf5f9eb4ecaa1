"""Estimates with intervals, paired comparisons and tests: arrays and scores in, numbers out.

One matrix of bootstrap weights [B, n] (how often each item counts in each resample) serves every metric,
slice and model that was measured on the same items; differences taken resample by resample are therefore
paired. The matrix is made and used in blocks of rows, so that a million items need no more of it than a few
thousand. Items of one cluster (the prompts of one profession, say) are not independent, so clusters are
drawn, not items. Everything here is decided by its arguments and an explicit seed.

Sources: cluster bootstrap, Davison & Hinkley 1997, section 3.8; Monte-Carlo permutation p-values, Phipson &
Smyth 2010; step-down adjustment, Holm 1979; two one-sided tests, Schuirmann 1987.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadData, NotComparable, UsageError
from evenhand.metrics import Array, Columns, Metric, columns
from evenhand.records import Estimate, Score, Value

Alternative = Literal["two-sided", "greater", "less"]
MAX_UNDEFINED = 0.05  # share of resamples that may be undefined before an interval is refused
CELLS = 4_000_000  # weights held at once (32 MB); beyond it resamples are made and used in blocks
_SIGNS = 5_000_000  # signs held at once; the draws depend on it, so it stays as it is


def resamples(clusters: Sequence[str] | None, n: int, B: int = 1000, seed: int = 0) -> Array:
    """Cluster-bootstrap weights, shape [B, n]: how often each of `n` items counts in each of `B` resamples.

    Every resample draws as many clusters, with replacement, as there are. `clusters` names the cluster of
    each item; None makes every item its own. The weights depend on the arguments alone, and on the order of
    the items only as their columns do, so equal arguments give the same (paired) resamples for all metrics
    and models. The weights of a slice are its columns of the whole matrix.

    Raises:
        BadData: `clusters` has not one name for each item.
        UsageError: `B` is below 1.
    """
    _check_resamples(B)
    return next(_blocks(*_codes(clusters, n), B, seed, rows=B))


def interval(values: ArrayLike, level: float = 0.95) -> tuple[Value, Value]:
    """Percentile interval of bootstrap `values` [B] at `level`: (low, high).

    Undefined (non-finite) resamples are left out; when more than 5 % are undefined, or none is left, there
    is no honest interval and both ends are None. With few clusters (below about 20) percentile intervals are
    too narrow.

    Raises:
        UsageError: `level` is not strictly between 0 and 1.
    """
    if not 0 < level < 1:
        raise UsageError(f"The level {level} is not between 0 and 1.", mend="Write 0.95 for a 95 % interval.")
    array = np.asarray(values, dtype=np.float64).ravel()
    defined = array[np.isfinite(array)]
    if not len(defined) or len(defined) < (1 - MAX_UNDEFINED) * len(array):
        return None, None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def replicates(
    metric: Metric, scores: Sequence[Score], *, weights: Array | None = None, seed: int = 0, B: int = 1000
) -> Array:
    """The metric in every bootstrap resample, shape [B], NaN where undefined.

    `weights` [B, n] as from `resamples` are used as they are; without them clusters (`Score.cluster`) are
    resampled `B` times under `seed`. Replicates of two models with the same weights or seed are paired.

    Raises:
        BadData: a column that the metric reads is missing, or `weights` has not one column an item.
    """
    blocks = _weight_blocks(scores, weights, B, seed)
    if not scores:
        return np.full(B if weights is None else len(weights), np.nan)
    table = _table(metric, columns(scores))
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
    whole, codes = columns(scores), _codes([s.cluster for s in scores], len(scores))
    tables = {m.name: _table(m, whole) for m in metrics}
    defined = {m.name: m.items(tables[m.name]) for m in metrics}
    values = {m.name: _point(m, tables[m.name]) for m in metrics}
    sure = [m for m in metrics if values[m.name] is not None and _several(codes[0], defined[m.name])]
    drawn: dict[str, list[Array]] = {m.name: [] for m in sure}
    for block in _blocks_of(weights, codes, B, seed) if sure else ():
        for m in sure:
            drawn[m.name].append(m.compute(tables[m.name], block))
    ends = {name: interval(np.concatenate(parts), level) for name, parts in drawn.items()}
    found = {}
    for m in metrics:
        n, (low, high) = int(defined[m.name].sum()), ends.get(m.name, (None, None))
        found[m.name] = Estimate(values[m.name], low, high, n, m.ideal, len(scores) - n, level)
    return found


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
    tables = [_table(metric, columns(scores)) for scores in (before, after)]
    keep = metric.items(tables[0]) & metric.items(tables[1])
    old, new = (_only(table, keep) for table in tables)
    n = int(keep.sum())
    first, last = _point(metric, old), _point(metric, new)
    value = None if first is None or last is None else last - first
    low: Value = None
    high: Value = None
    if value is not None and _several(_codes([s.cluster for s in before], len(before))[0], keep):
        low, high = interval(_changes(metric, old, new, _weight_blocks(before, None, B, seed), keep), level)
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


def paired_permutation(
    differences: ArrayLike,
    clusters: Sequence[str] | None = None,
    seed: int = 0,
    draws: int = 9999,
    alternative: Alternative = "two-sided",
) -> Value:
    """P-value of the sign-flip test that the mean of paired `differences` [n] is zero.

    Whole clusters flip together. All 2^clusters sign patterns are enumerated when they are no more than
    ``draws + 1`` (exact); otherwise `draws` random ones, with 1 added to numerator and denominator.
    ``greater`` tests for a mean above 0, ``less`` below. NaN differences are left out; None when all are NaN.

    Raises:
        BadData: `clusters` has not one name for each difference.
        UsageError: an unknown alternative, or `draws` below 1.
    """
    if alternative not in ("two-sided", "greater", "less"):
        raise UsageError(f"No alternative {alternative!r}.", mend="Use two-sided, greater or less.")
    _check_resamples(draws)
    d = np.asarray(differences, dtype=np.float64).ravel()
    codes, _ = _codes(clusters, len(d))
    defined = np.isfinite(d)
    if not defined.any():
        return None
    _, codes = np.unique(codes[defined], return_inverse=True)
    sums = np.bincount(codes, weights=d[defined]).astype(np.float64)
    if alternative == "less":
        sums = -sums
    exact = 2 ** len(sums) <= draws + 1
    signs = _all_signs(len(sums)) if exact else _random_signs(len(sums), draws, seed)
    hits = sum(_as_extreme(block @ sums, sums, alternative) for block in signs)
    return hits / 2 ** len(sums) if exact else (hits + 1) / (draws + 1)


def holm(p_values: Sequence[Value]) -> tuple[Value, ...]:
    """Holm's step-down adjusted p-values, in the given order; an undefined p (None) stays None, uncounted."""
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[Value] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[i] = largest
    return tuple(adjusted)


def tost(values: ArrayLike, margin: float, alpha: float = 0.05) -> bool:
    """Whether equivalence to zero is shown: the (1 - 2·alpha) interval of `values` [B] within ±`margin`.

    False means "not shown", also when the interval is undefined; it never means "different".

    Raises:
        UsageError: `margin` is not positive, or `alpha` not strictly between 0 and 0.5.
    """
    if not margin > 0:
        raise UsageError(
            f"The margin {margin} is not positive.", mend="Give the largest harmless difference."
        )
    low, high = interval(values, 1 - 2 * alpha)
    return low is not None and high is not None and -margin < low and high < margin


def kendall_tau(a: ArrayLike, b: ArrayLike) -> Value:
    """Kendall's tau-b between two rankings by value, in [-1, 1]; pairs with a NaN are left out.

    None when fewer than two pairs are left or one side is constant.

    Raises:
        BadData: the two differ in length.
    """
    from scipy.stats import kendalltau

    x, y = (np.asarray(v, dtype=np.float64).ravel() for v in (a, b))
    if len(x) != len(y):
        raise BadData(f"Rankings of {len(x)} and {len(y)} things.", mend="Rank the same things in both.")
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 2:
        return None
    tau = float(kendalltau(x[both], y[both]).statistic)
    return tau if np.isfinite(tau) else None


def _codes(clusters: Sequence[str] | None, n: int) -> tuple[NDArray[np.intp], int]:
    """Each item's cluster number (in sorted order of names) and the number of clusters."""
    if clusters is None:
        return np.arange(n), n
    if len(clusters) != n:
        raise BadData(f"{len(clusters)} cluster names for {n} items.", mend="Give one name for each item.")
    # Not an array of text: that gives every name the room of the longest.
    numbers = {name: number for number, name in enumerate(sorted(set(clusters)))}
    return np.fromiter((numbers[name] for name in clusters), np.intp, n), len(numbers)


def _blocks(codes: NDArray[np.intp], size: int, B: int, seed: int, rows: int) -> Iterator[Array]:
    """The weights of `B` resamples, at most `rows` at a time; the size of the blocks changes no number."""
    rng = np.random.default_rng(seed)
    for start in range(0, B, rows):
        yield np.take(_draw(rng, min(rows, B - start), size), codes, axis=1)


def _draw(rng: np.random.Generator, rows: int, size: int) -> Array:
    """`rows` multinomial counts of `size` draws over `size` clusters, shape [rows, size]."""
    if not size:
        return np.zeros((rows, 0))
    # One bincount over row-wise shifted draws is several times faster than Generator.multinomial.
    draws = rng.integers(size, size=(rows, size))
    draws += np.arange(rows)[:, None] * size
    return np.bincount(draws.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)


def _weight_blocks(scores: Sequence[Score], weights: Array | None, B: int, seed: int) -> Iterator[Array]:
    return _blocks_of(weights, _codes([s.cluster for s in scores], len(scores)), B, seed)


def _blocks_of(
    weights: Array | None, codes: tuple[NDArray[np.intp], int], B: int, seed: int
) -> Iterator[Array]:
    """The given weights, or those of `B` new resamples, at most `CELLS` of them at a time."""
    n = len(codes[0])
    rows = max(1, CELLS // max(n, 1))
    if weights is None:
        _check_resamples(B)
        return _blocks(*codes, B, seed, rows)
    if weights.ndim != 2 or weights.shape[1] != n:
        raise BadData(
            f"Weights of shape {weights.shape} for {n} items.", mend="Give one column for each item."
        )
    return (weights[start : start + rows] for start in range(0, len(weights), rows))


def _changes(
    metric: Metric, old: Columns, new: Columns, blocks: Iterator[Array], keep: NDArray[np.bool_]
) -> Array:
    kept = (block if keep.all() else block[:, keep] for block in blocks)
    return np.concatenate([metric.compute(new, w) - metric.compute(old, w) for w in kept])


def _point(metric: Metric, table: Columns) -> Value:
    value = float(metric.compute(table, np.ones((1, table.n)))[0])
    return value if np.isfinite(value) else None


def _table(metric: Metric, table: Columns) -> Columns:
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


def _only(table: Columns, keep: NDArray[np.bool_]) -> Columns:
    return Columns({name: column[keep] for name, column in table.values.items()}, int(keep.sum()))


def _several(codes: NDArray[np.intp], keep: NDArray[np.bool_]) -> bool:
    """Whether the kept items belong to more than one cluster."""
    kept = codes[keep]
    return bool(len(kept)) and bool((kept != kept[0]).any())


def _check_resamples(B: int) -> None:
    if B < 1:
        raise UsageError(f"{B} resamples are too few.", mend="Use at least 1; 1000 or more for an interval.")


def _all_signs(size: int) -> Iterator[Array]:
    patterns = np.arange(2**size)[:, None] >> np.arange(size)
    yield np.asarray((patterns & 1) * 2 - 1, dtype=np.float64)


def _random_signs(size: int, draws: int, seed: int) -> Iterator[Array]:
    rng = np.random.default_rng(seed)
    rows = max(1, _SIGNS // size)
    for start in range(0, draws, rows):
        flips = rng.integers(2, size=(min(rows, draws - start), size), dtype=np.int8)
        yield np.where(flips, -1.0, 1.0)


def _as_extreme(flipped: Array, sums: Array, alternative: Alternative) -> int:
    """How many flipped statistics are at least as extreme as the observed one, up to rounding."""
    observed, slack = sums.sum(), 1e-12 * np.abs(sums).sum()
    if alternative == "two-sided":
        flipped, observed = np.abs(flipped), abs(observed)
    return int(np.count_nonzero(flipped >= observed - slack))
