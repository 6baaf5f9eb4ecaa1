"""Intervals of shares: one share of independent or of clustered items, and two independent shares.

Sources: Clopper & Pearson 1934; Wilson 1927; Newcombe 1998, Statistics in Medicine 17, 873-890 (method 10);
Korn & Graubard 1998, Survey Methodology 24, 193-201, with the correction for the degrees of freedom.
None of them has zero width where nothing, or everything, was seen: 0 of 6 is 0 to 45.9 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, ndtri, stdtrit

from evenhand.stats.ratios import NO_ENDS, Array, Codes, Ends, Ratio, mean_of

FEW_HOLD = 5  # clusters with the rarer answer, below which its design effect cannot be estimated


def normal_quantile(level: float) -> float:
    """The z of a two-sided interval at `level`: 1.96 for 0.95."""
    return float(ndtri((1 + level) / 2))


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> Ends:
    """Exact interval of a share, by the beta quantiles, so that an effective n need not be a whole number.

    None where `n` is 0.
    """
    if not n > 0:
        return NO_ENDS
    alpha, rest = 1 - level, n - successes
    low = float(betaincinv(successes, rest + 1, alpha / 2)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, rest, 1 - alpha / 2)) if rest > 0 else 1.0
    return low, high


def wilson(p: ArrayLike, n: ArrayLike, z: float = 1.959964) -> tuple[Array, Array]:
    """Wilson's score limits of shares `p` of `n` items (both of one shape) at normal quantile `z`.

    ``(p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n)``; NaN where `n` is 0. They hold `p` always.
    """
    share, size = np.asarray(p, dtype=np.float64), np.asarray(n, dtype=np.float64)
    size = np.where(size > 0, size, np.nan)
    centre = share + z * z / (2 * size)
    half = z * np.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    scale = 1 + z * z / size
    # At shares of 0 and 1 one limit is the share itself, but for rounding.
    return np.minimum((centre - half) / scale, share).clip(0), np.maximum(
        (centre + half) / scale, share
    ).clip(None, 1)


def newcombe(p: tuple[float, float], n: tuple[float, float], level: float = 0.95) -> Ends:
    """Newcombe's interval (his method 10) of the difference ``p[0] - p[1]`` of two independent shares.

    ``d - sqrt((p0 - l0)² + (u1 - p1)²)`` to ``d + sqrt((u0 - p0)² + (p1 - l1)²)``, l and u Wilson's limits.
    None where an `n` is 0.
    """
    if not min(n) > 0:
        return NO_ENDS
    low, high = differences(np.array(p), np.array(n), (0, 1), normal_quantile(level))
    return max(float(low), -1.0), min(float(high), 1.0)


def differences(p: Array, n: Array, pairs: tuple[Any, Any], z: float) -> tuple[Array, Array]:
    """Newcombe's limits, at normal quantile `z`, of the differences of `pairs` of independent shares.

    `p` and `n` [k] are the shares and their sizes, `pairs` two arrays of numbers [P]: the first share of each
    difference, and the one taken from it.
    """
    low, high = wilson(p, n, z)
    first, second = pairs
    d = p[first] - p[second]
    below = np.hypot(p[first] - low[first], high[second] - p[second])
    above = np.hypot(high[first] - p[first], p[second] - low[second])
    return d - below, d + above


def korn_graubard(
    x: ArrayLike, codes: Codes | None = None, weights: ArrayLike | None = None, *, level: float = 0.95
) -> Ends:
    """Interval of a share of clustered items: Clopper and Pearson's at the effective number of items.

    `x` [n] is 1, 0, or between (0.5 for a tie), NaN where undefined; `codes` [n] number the clusters and
    `weights` [n] weigh the items. None with fewer than two clusters.
    """
    return share_ends(mean_of(x, codes, weights), level=level)


def share_ends(share: Ratio | None, *, level: float = 0.95) -> Ends:
    """`korn_graubard` of a share that is given as a ratio of sums over clusters."""
    if share is None or share.clusters < 2:
        return NO_ENDS
    size = effective_size(share, level=level)
    return clopper_pearson(min(max(share.value, 0.0), 1.0) * size, size, level)


def effective_size(share: Ratio, *, level: float = 0.95, scaled: bool = True) -> float:
    """How many independent items would tell as much about a `share` in 0 to 1 as its items do.

    ``n p(1 - p) / ((n - 1) v)`` with v the linearised variance, at most n: 1 over the design effect, such
    that items that are each their own cluster count in full. With `scaled` the few degrees of freedom of v
    are paid for as well: times ``(t_{n-1} / t_{k-1})²`` at `level`. With fewer than 5 clusters that hold the
    rarer answer v is not to be trusted, and the size is at most the number of clusters.
    """
    n, k, p = share.n, share.clusters, share.value
    size = float(n)
    if share.error > 0 and n > 1:
        size = n * p * (1 - p) / ((n - 1) * share.error**2)
        if scaled:
            tail = (1 + level) / 2
            size *= float(stdtrit(n - 1, tail) / stdtrit(k - 1, tail)) ** 2
    size = min(size, float(n))
    return min(size, float(k)) if clusters_holding(share) < FEW_HOLD else size


def clusters_holding(share: Ratio) -> int:
    """How many clusters hold the rarer answer, 1 where the share is up to one half and 0 above."""
    rarer = min(share.value, 1 - share.value)
    # A cluster's part of the rarer answers is its influence, plus what the mean gives to everybody.
    held = np.abs(share.influence + (share.value - (share.value > 0.5)) * share.part)
    return int((held > 1e-9 * max(rarer, 1e-9)).sum())
