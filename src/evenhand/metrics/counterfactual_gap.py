"""How far the probability of the favourable decision moves with nothing but the sensitive attribute."""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import GROUPS, mean_gap, probabilities


def counterfactual_gap(p: ArrayLike) -> Array:
    """Per person the mean |p_i - p_j| over all pairs of groups: `p` [n, k] to [n], NaN where undefined.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is no probability.
    """
    return mean_gap(arrays.probabilities(p))


component = mean_metric(
    "counterfactual_gap",
    "Counterfactual gap in probability",
    per_item=lambda table: mean_gap(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source="the mean |Δp| of counterfactual twins; k groups: mean over pairs",
    reading="0 is one probability whatever group a person is said to belong to. Finer than flip_rate, which "
    "sees only what crosses one half. Over more than two groups it cannot reach 1.",
    needs=(GROUPS,),
)
