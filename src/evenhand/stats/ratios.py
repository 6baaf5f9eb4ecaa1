"""Ratios of sums over clusters, linearised: what most figures are, and how uncertain they are.

A weighted mean, a mean over terms, a share, and a perplexity's logarithm are each a ratio R of two sums over
clusters, a and b. To first order a cluster moves R by ``(a_c - R b_c) / Σ b``; the squares of these give the
sandwich variance. Source: Cochran 1977, section 6.3; Fuller 1975; the factor k / (k - 1) is Stata's and
R survey's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.records import Value
from evenhand.stats.resampling import renumbered

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Ends = tuple[Value, Value]
NO_ENDS: Ends = (None, None)


@dataclass(frozen=True, eq=False)
class Ratio:
    """A ratio of sums over k clusters: its value, each cluster's influence [k] and part of the bottom [k].

    `influence` adds up to 0 and `part` to 1. `n` counts the items behind it; `names` [k] are the clusters'
    numbers, ascending.
    """

    value: float
    influence: Array
    part: Array
    n: int
    names: Codes

    @property
    def clusters(self) -> int:
        """How many clusters hold a defined item."""
        return len(self.influence)

    @property
    def error(self) -> float:
        """The linearised standard error; 0 where no cluster departs from the value (one cluster included)."""
        return standard_error(self.influence)


def standard_error(influence: Array) -> float:
    """``sqrt(k / (k - 1) Σ u²)`` of the clusters' `influence` [k]; 0 for a single cluster."""
    k = len(influence)
    if k < 2:
        return 0.0
    return float(np.sqrt(k / (k - 1) * np.square(influence).sum()))


def ratio_of_sums(top: ArrayLike, bottom: ArrayLike, codes: Codes | None = None) -> Ratio | None:
    """Σ `top` / Σ `bottom` over items [n]; `codes` [n] number their clusters, None makes each its own.

    Items where either is not finite, or whose bottom is 0, are left out; None where nothing is left.
    """
    a, b = (np.asarray(v, dtype=np.float64).ravel() for v in (top, bottom))
    used = np.isfinite(a) & np.isfinite(b) & (b != 0)
    total = float(b[used].sum())
    if not used.any() or total == 0:
        return None
    value = float(a[used].sum() / total)
    names, places = renumbered(np.flatnonzero(used) if codes is None else codes[used])
    departures = a[used] - value * b[used]
    # What is left of equal values is rounding, and would pass for a very small spread.
    scale = np.abs(a[used]).max() + abs(value) * np.abs(b[used]).max()
    departures[np.abs(departures) <= 1e-12 * scale] = 0.0
    influence = np.bincount(places, weights=departures) / total
    part = np.bincount(places, weights=b[used]) / total
    return Ratio(value, influence, part, int(used.sum()), names)


def mean_of(x: ArrayLike, codes: Codes | None = None, weights: ArrayLike | None = None) -> Ratio | None:
    """The mean of `x` [n] under `weights` [n] (None: ones) as a ratio of sums; undefined items left out."""
    values = np.asarray(x, dtype=np.float64).ravel()
    w = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64).ravel()
    return ratio_of_sums(values * w, np.where(np.isfinite(values), w, np.nan), codes)
