"""The gap between the most and the least probable group: the worst-case reading of AFGB for k groups."""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._gaps import spread
from evenhand.metrics._groups import GROUPS, LFTF, probabilities


def afgb_range(p: ArrayLike) -> Array:
    """Per-item ``max_g P_g - min_g P_g``: `p` [n, k] to [n]; NaN where undefined, all NaN when k < 2.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is no probability.
    """
    return spread(arrays.probabilities(p))


component = mean_metric(
    "afgb_range",
    "AFGB as the range over groups",
    per_item=lambda table: spread(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=0.0,
    high=1.0,
    step=0.01,
    source=f"after {LFTF}, eq. 1; k groups: max - min (ours)",
    reading="0 is no gap; equals afgb for two groups, and is at least as large for more. A model that gives "
    "none of the terms any probability scores 0 too: read it beside mass.",
    needs=(GROUPS,),
)
