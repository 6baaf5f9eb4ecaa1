"""Gaps between groups: of one item's probabilities, and of the groups' own figures.

A gap is a statement about the groups of the table, all of them. Where one of them has no figure, in the table
or in a resample that happens to lack it, the gap is undefined (NaN), never the gap of the groups that are
left: fewer groups lie less far apart, so such resamples would pull the interval towards 0. Undefined
resamples are left out, and `evenhand.stats.interval` gives no interval where they are more than 5 %.
"""

from __future__ import annotations

import numpy as np

from evenhand.metrics import Array, Columns

GROUPS = "p.*"
LFTF = "LFTF: Locating First and Then Fine-Tuning for Mitigating Gender Bias in Large Language Models"


def probabilities(table: Columns) -> Array:
    """The groups' probabilities, shape [n, k], in the benchmark's group order; NaN where undefined."""
    return table.group("p")


def mean_gap(p: Array) -> Array:
    """Mean absolute difference over all pairs of groups: `p` [n, k] to [n], all NaN when k < 2.

    ``2 / (k (k - 1)) · Σ_{i<j} |P_i - P_j|``; at k = 2 it is |P_0 - P_1|.
    """
    k = p.shape[1]
    if k < 2:
        return np.full(len(p), np.nan)
    # [n, k, k] to [n]: every pair counts twice, once in each order.
    both_orders = np.abs(p[:, :, None] - p[:, None, :]).sum(axis=(1, 2))
    return np.asarray(both_orders / (k * (k - 1)))


def signed_gap(p: Array) -> Array:
    """P_0 - P_1 (he minus she): `p` [n, 2] to [n]; all NaN unless there are exactly two groups."""
    if p.shape[1] != 2:
        return np.full(len(p), np.nan)
    return np.asarray(p[:, 0] - p[:, 1])


def spread(figures: Array) -> Array:
    """Largest minus smallest of the groups' `figures` [B, k]: [B]; NaN where one is undefined or k < 2."""
    if figures.shape[1] < 2:
        return np.full(len(figures), np.nan)
    gap: Array = figures.max(axis=1) - figures.min(axis=1)
    return gap


def ratio(figures: Array) -> Array:
    """Smallest over largest of the groups' `figures` [B, k]: [B]; NaN as for `spread`, and for 0 over 0."""
    if figures.shape[1] < 2:
        return np.full(len(figures), np.nan)
    top = figures.max(axis=1)
    found: Array = np.divide(figures.min(axis=1), top, out=np.full(len(top), np.nan), where=top > 0)
    return found
