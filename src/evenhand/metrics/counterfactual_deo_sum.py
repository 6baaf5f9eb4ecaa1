"""Counterfactual difference in equalised odds, as a sum over the two true outcomes.

Source: FairCon's published evaluation compares counterfactual pairs under the name of EOD; its paper's
equation 2 is the observational figure (`deo_sum`), so the two have two names here.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics._decisions import CHANCE, FAIRCON, group_metric
from evenhand.metrics._gaps import spread
from evenhand.metrics._twins import TWINS, on_twins, twin_rates
from evenhand.records import Value


def counterfactual_deo_sum(
    y_true: ArrayLike, decisions: ArrayLike, weights: ArrayLike | None = None
) -> Value:
    """The spread of the columns' rates among true positives plus that among negatives; None if undefined.

    `y_true` [n] is 1 or 0. Of `decisions` [n, k] a row is a person, a column the decision (1 favourable, 0
    not, NaN undecided) as a member of one group.

    Raises:
        BadData: not two dimensions, unlike lengths, or other values.
    """
    return on_twins(component, decisions, weights, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    """The spread of the twins' rates among true positives plus that among true negatives, [B]."""
    decisions, outcome = table.group("decision"), table["outcome"]
    positive, negative = (spread(twin_rates(decisions, weights * (outcome == y))) for y in (1, 0))
    return positive + negative


component = group_metric(
    "counterfactual_deo_sum",
    "Counterfactual equalised odds difference (sum)",
    _compute,
    (TWINS, "outcome"),
    unit="sum of two differences of rates",
    ideal=0.0,
    low=0.0,
    high=2.0,
    step=0.02,
    source=f"{FAIRCON}: the published evaluation, with the sum of its eq. 2",
    reading="0 is, at each true outcome, one rate of favourable decisions whatever group the same people are "
    "said to belong to; up to 2. On the same people it is at least counterfactual_dpd. Undefined where "
    "everybody has the same true outcome." + CHANCE,
)
