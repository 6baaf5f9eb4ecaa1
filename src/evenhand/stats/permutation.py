"""P-values: the paired sign-flip test of clusters, and Holm's adjustment of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import UsageError
from evenhand.metrics import Array
from evenhand.records import Value
from evenhand.stats.resampling import check_resamples, codes_of, renumbered

Alternative = Literal["two-sided", "greater", "less"]
_SIGNS = 5_000_000  # signs held at once; the draws depend on it, so it stays as it is


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
    return paired_permutations([differences], clusters, seed, draws, alternative)[0]


def paired_permutations(
    differences: Sequence[ArrayLike],
    clusters: Sequence[str] | None = None,
    seed: int = 0,
    draws: int = 9999,
    alternative: Alternative = "two-sided",
) -> list[Value]:
    """The `paired_permutation` of each of `differences` [n], all of the same items; they share the signs.

    Raises:
        BadData: as for `paired_permutation`.
        UsageError: as for `paired_permutation`.
    """
    check_alternative(alternative)
    check_resamples(draws)
    arrays = [np.asarray(d, dtype=np.float64).ravel() for d in differences]
    if not arrays:
        return []
    codes, _ = codes_of(clusters, len(arrays[0]))
    by_size: dict[int, dict[int, Array]] = {}  # sums of clusters, by the number of these and the place
    for place, d in enumerate(arrays):
        sums = _sums(d, codes)
        if len(sums):
            by_size.setdefault(len(sums), {})[place] = -sums if alternative == "less" else sums
    found: list[Value] = [None] * len(arrays)
    for size, same in by_size.items():
        exact = 2**size <= draws + 1
        hits = _hits(np.stack(list(same.values()), axis=1), draws, seed, alternative)
        for place, number in zip(same, hits.tolist(), strict=True):
            found[place] = number / 2**size if exact else (number + 1) / (draws + 1)
    return found


def check_alternative(alternative: str) -> None:
    """Refuse what no test is against.

    Raises:
        UsageError: it is not one of `Alternative`.
    """
    if alternative not in get_args(Alternative):
        raise UsageError(f"No alternative {alternative!r}.", mend="Use two-sided, greater or less.")


def _sums(d: Array, codes: NDArray[np.intp]) -> Array:
    """The sum of the defined differences of every cluster that has one."""
    defined = np.isfinite(d)
    _, own = renumbered(codes[defined])
    return np.bincount(own, weights=d[defined]).astype(np.float64)


def _hits(sums: Array, draws: int, seed: int, alternative: Alternative) -> NDArray[np.intp]:
    """How many sign patterns of the clusters' `sums` [C, k] are at least as extreme as the signs observed."""
    size = len(sums)
    flips = _all_flips(size) if 2**size <= draws + 1 else _random_flips(size, draws, seed)
    total = sums.sum(axis=0)
    found = np.zeros(sums.shape[1], dtype=np.intp)
    for block in flips:
        found += _as_extreme(total - 2 * (block @ sums), sums, alternative)
    return found


def holm(p_values: Sequence[Value]) -> tuple[Value, ...]:
    """Holm's step-down adjusted p-values, in the given order; an undefined p (None) stays None, uncounted."""
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[Value] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[i] = largest
    return tuple(adjusted)


def _all_flips(size: int) -> Iterator[Array]:
    """Every pattern of clusters that flip (1) or do not (0), shape [2^size, size]."""
    patterns = np.arange(2**size)[:, None] >> np.arange(size)
    yield (patterns & 1).astype(np.float64)


def _random_flips(size: int, draws: int, seed: int) -> Iterator[Array]:
    rng = np.random.default_rng(seed)
    rows = max(1, _SIGNS // size)
    for start in range(0, draws, rows):
        flips = rng.integers(2, size=(min(rows, draws - start), size), dtype=np.int8)
        yield flips.astype(np.float64)


def _as_extreme(flipped: Array, sums: Array, alternative: Alternative) -> NDArray[np.intp]:
    """How many of the `flipped` [rows, k] are at least as extreme as the observed ones, up to rounding."""
    observed, slack = sums.sum(axis=0), 1e-12 * np.abs(sums).sum(axis=0)
    if alternative == "two-sided":
        flipped, observed = np.abs(flipped), np.abs(observed)
    return np.asarray(np.count_nonzero(flipped >= observed - slack, axis=0))
