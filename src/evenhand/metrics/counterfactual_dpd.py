"""Counterfactual parity difference: the rates of favourable decisions if everybody belonged to each group.

Source: FairCon's published evaluation compares counterfactual pairs under the name of DPD; its paper's
equation 1 is the observational figure (`dpd`), so the two have two names here.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics._decisions import CHANCE, FAIRCON, group_metric
from evenhand.metrics._gaps import spread
from evenhand.metrics._twins import TWINS, on_twins, twin_rates
from evenhand.records import Value


def counterfactual_dpd(decisions: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """Largest minus smallest rate of the columns of `decisions` [n, k]; None if undefined.

    A row is a person, a column the decision (1 favourable, 0 not, NaN undecided) as a member of one group.

    Raises:
        BadData: not two dimensions, unlike lengths, or other values.
    """
    return on_twins(component, decisions, weights)


def _compute(table: Columns, weights: Array) -> Array:
    """Largest minus smallest over the groups of P(decision = 1) with everybody set to the group, [B]."""
    return spread(twin_rates(table.group("decision"), weights))


component = group_metric(
    "counterfactual_dpd",
    "Counterfactual parity difference",
    _compute,
    (TWINS,),
    unit="difference of rates",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source=f"{FAIRCON}: the published evaluation",
    reading="0 is one rate of favourable decisions whatever group the same people are said to belong to. "
    "Flips in both directions cancel: read it beside flip_rate." + CHANCE,
)
