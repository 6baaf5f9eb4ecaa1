"""AFGB as a share of the probability that the groups' terms have together: immune to lost mass."""

from __future__ import annotations

import numpy as np

from evenhand.metrics import Array, mean_metric
from evenhand.metrics._groups import GROUPS, LFTF, MIN_MASS, mean_gap, probabilities


def afgb_normalised(p: Array) -> Array:
    """Per-item gap divided by ``m = Σ_g P_g``: `p` [n, k] to [n]; NaN where m < 1e-6 or undefined."""
    mass = p.sum(axis=1)
    share: Array = np.divide(mean_gap(p), mass, out=np.full(len(p), np.nan), where=mass >= MIN_MASS)
    return share


component = mean_metric(
    "afgb_normalised",
    "AFGB normalised by the groups' mass",
    per_item=lambda table: afgb_normalised(probabilities(table)),
    unit="share of the groups' mass",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source=f"after {LFTF}, eq. 1, each item divided by its mass (ours)",
    reading="0 is no gap, 1 all probability on one of two groups (2/k with k groups), however little "
    "probability the terms have in all. Items whose mass is below 1e-6 are undefined and counted, never 0.",
    needs=(GROUPS,),
)
