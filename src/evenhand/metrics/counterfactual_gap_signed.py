"""Which way the probability of the favourable decision moves with the sensitive attribute, for two groups."""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import GROUPS, probabilities, signed_gap


def counterfactual_gap_signed(p: ArrayLike) -> Array:
    """Per person p_0 - p_1: `p` [n, 2] to [n]; NaN unless there are exactly two groups.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is no probability.
    """
    return signed_gap(arrays.probabilities(p))


component = mean_metric(
    "counterfactual_gap_signed",
    "Signed counterfactual gap in probability",
    per_item=lambda table: signed_gap(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=-1.0,
    high=1.0,
    source="the signed mean Δp of counterfactual twins",
    reading="Above 0 the first group is favoured, below 0 the second; swapping the groups flips the sign. "
    "Opposite shifts cancel: read it beside counterfactual_gap. Defined for two groups.",
    needs=(GROUPS,),
)
