"""Equal opportunity: how far the groups' true positive rates lie apart.

Source: Hardt et al. 2016; the same as fairlearn's ``equal_opportunity_difference``, but undefined where a
group has no positives.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics._decisions import CHANCE, EMPTY, JUDGED, group_metric, on_arrays, outcome_gaps
from evenhand.records import Value


def equal_opportunity(
    y_true: ArrayLike, y_pred: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None
) -> Value:
    """Largest minus smallest true positive rate; None if undefined.

    `y_true` and `y_pred` [n] are 1 (favourable) or 0, `group` [n] any labels, `weights` [n] or None for ones.

    Raises:
        BadData: unlike lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(component, group, weights, decision=y_pred, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    """TPR gap, [B]."""
    return outcome_gaps(table, weights)[0]


component = group_metric(
    "equal_opportunity",
    "Equal opportunity difference",
    _compute,
    JUDGED,
    unit="difference of rates",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source="Hardt et al. 2016, arXiv:1610.02413",
    reading="0 is one true positive rate for all groups: whoever deserves the favourable decision "
    "gets it equally often." + CHANCE + EMPTY,
)
