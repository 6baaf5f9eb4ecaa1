"""The gap between groups, and the one convention for a group that has no figure.

A gap is a statement about the groups of the table, all of them. Where one of them has no figure, in the table
or in a resample that happens to lack it, the gap is undefined (NaN), never the gap of the groups that are
left: fewer groups lie less far apart, so such resamples would pull the interval towards 0. Undefined
resamples are left out, and `evenhand.stats.interval` gives no interval where they are more than 5 %.
"""

from __future__ import annotations

import numpy as np

from evenhand.metrics import Array


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
