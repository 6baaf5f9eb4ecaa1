"""P-values: the paired sign-flip test of clusters, and Holm's adjustment of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from evenhand.errors import UsageError
from evenhand.metrics import Array
from evenhand.records import Value
from evenhand.stats.resampling import check_resamples, codes_of

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
    if alternative not in ("two-sided", "greater", "less"):
        raise UsageError(f"No alternative {alternative!r}.", mend="Use two-sided, greater or less.")
    check_resamples(draws)
    d = np.asarray(differences, dtype=np.float64).ravel()
    codes, _ = codes_of(clusters, len(d))
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
