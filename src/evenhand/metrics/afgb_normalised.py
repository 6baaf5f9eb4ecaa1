"""AFGB as a share of the probability that the groups' terms have together: immune to lost mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import GROUPS, LFTF, MIN_MASS, mean_gap, probabilities


def afgb_normalised(p: ArrayLike) -> Array:
    """Per-item gap divided by ``m = Σ_g P_g``: `p` [n, k] to [n]; NaN where m < 1e-6 or undefined.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is no probability.
    """
    return _share_gap(arrays.probabilities(p))


def _share_gap(p: Array) -> Array:
    mass = p.sum(axis=1)
    share: Array = np.divide(mean_gap(p), mass, out=np.full(len(p), np.nan), where=mass >= MIN_MASS)
    return share


component = mean_metric(
    "afgb_normalised",
    "AFGB normalised by the groups' mass",
    per_item=lambda table: _share_gap(probabilities(table)),
    unit="share of the groups' mass",
    ideal=0.0,
    low=0.0,
    high=1.0,
    short="normalised AFGB",
    source=f"after {LFTF}, eq. 1, each item divided by its mass (ours)",
    reading="0 is no gap, 1 all probability on one of two groups (2/k with k groups), however little "
    "probability the terms have in all. Items whose mass is below 1e-6 are undefined and counted, never 0.",
    needs=(GROUPS,),
)
