"""Several tests by betting as one, and which of many may be reported; log capitals in, log capitals out.

Sources: Vovk & Wang 2021, Annals of Statistics 49, 1736-1754 (merging); Wang & Ramdas 2022, JRSS B 84,
822-852 (e-BH).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.stats.betting import Array, log_mean


def average(log_e: ArrayLike) -> Array:
    """Log of the mean capital over the last axis: valid however the streams depend on each other."""
    return log_mean(np.asarray(log_e, float))


def product(log_e: ArrayLike) -> Array:
    """Log of the product over the last axis: valid where, given the past, the streams' next items are
    independent (different people), so that the product is a supermartingale too."""
    total: Array = np.asarray(log_e, float).sum(-1)
    return total


def mixture(log_e: ArrayLike) -> Array:
    """Half of the capital on the `average` (one stream breaks the tolerance), half on the `product` (all do a
    little). Valid where the product is; of a single stream it is that stream."""
    return log_mean(np.stack([average(log_e), product(log_e)], -1))


def e_bh(log_e: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """Which of the K hypotheses on the last axis are rejected [..., K], at a false discovery rate of `alpha`.

    These are the k largest, k the largest number with ``e_(k) >= K / (alpha k)``; under any dependence.

    Where every hypothesis holds, a rejection at *any* of endlessly many looks has a probability of at most
    `alpha`: k rejections at ``e >= K / (alpha k)`` make the mean of all K capitals at least 1/alpha, and that
    mean is a capital itself.
    """
    logs = np.asarray(log_e, float)
    count = logs.shape[-1]
    falling = -np.sort(-logs, axis=-1)
    needed = np.log(count / (alpha * np.arange(1, count + 1)))
    k = ((falling >= needed) * np.arange(1, count + 1)).max(-1, initial=0)  # [...]
    cut = np.where(k > 0, np.log(count / (alpha * np.maximum(k, 1))), np.inf)
    rejected: NDArray[np.bool_] = logs >= cut[..., None]
    return rejected


def all_pairs(groups: int) -> NDArray[np.intp]:
    """Every two of `groups` [pair, 2]."""
    return np.asarray(list(combinations(range(groups), 2)), np.intp).reshape(-1, 2)


def opposed(counts: ArrayLike, pairs: ArrayLike) -> Array:
    """The counts [..., groups] of both sides of each pair [..., pair, 2]."""
    sides: Array = np.asarray(counts, float)[..., np.asarray(pairs, np.intp)]
    return sides


def against_rest(counts: ArrayLike) -> Array:
    """The counts [..., groups] of each group and of all others together [..., groups, 2]."""
    own = np.asarray(counts, float)
    rest: Array = np.stack([own, own.sum(-1, keepdims=True) - own], -1)
    return rest
