"""The signed gap P(he) - P(she): which way the bias leans, and whether a treatment flipped it."""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import GROUPS, LFTF, probabilities, signed_gap


def afgb_signed(p: ArrayLike) -> Array:
    """Per-item P_0 - P_1: `p` [n, 2] to [n]; all NaN unless there are exactly two groups.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is no probability.
    """
    return signed_gap(arrays.probabilities(p))


component = mean_metric(
    "afgb_signed",
    "Signed gap, first group minus second",
    per_item=lambda table: signed_gap(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=-1.0,
    high=1.0,
    step=0.01,
    source=f"after {LFTF}, eq. 1, without the absolute value (ours)",
    reading="Positive: the model leans to the first group (he), negative to the second (she). 0 may hide "
    "large gaps that cancel: read it beside afgb. Swapping the groups flips the sign. Undefined unless there "
    "are exactly two groups.",
    needs=(GROUPS,),
)
