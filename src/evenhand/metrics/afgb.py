"""AFGB: how far apart the groups' next-token probabilities are, item by item.

Source: LFTF, equation 1 (two groups); the form for k groups, the mean over all pairs, is ours and equals
it at k = 2.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import GROUPS, LFTF, mean_gap, probabilities


def afgb(p: ArrayLike) -> Array:
    """Per-item gap ``2 / (k (k - 1)) · Σ_{i<j} |P_i - P_j|``: `p` [n, k] to [n], NaN where undefined.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is no probability.
    """
    return mean_gap(arrays.probabilities(p))


component = mean_metric(
    "afgb",
    "AFGB: absolute gap between groups",
    per_item=lambda table: mean_gap(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=0.0,
    high=1.0,
    short="AFGB",
    step=0.01,
    source=f"{LFTF}, eq. 1; k groups: mean over pairs",
    reading="0 is no gap on any item; with k groups the largest possible value is 2/k. A model that gives "
    "none of the groups' terms any probability scores 0 too: read it beside mass and afgb_normalised. It has "
    "no sign: afgb_signed says which way the gap leans.",
    needs=(GROUPS,),
)
