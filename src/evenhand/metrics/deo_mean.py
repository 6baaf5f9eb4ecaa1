"""Difference in equalised odds as the mean of the two gaps.

Source: fairlearn's ``equalized_odds_difference`` with ``agg="mean"``; half of FairCon's equation 2.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics._decisions import CHANCE, EMPTY, FAIRCON, JUDGED, group_metric, on_arrays, outcome_gaps
from evenhand.records import Value


def deo_mean(
    y_true: ArrayLike, y_pred: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None
) -> Value:
    """The mean of the TPR gap and the FPR gap; None if undefined.

    `y_true` and `y_pred` [n] are 1 (favourable) or 0, `group` [n] any labels, `weights` [n] or None for ones.

    Raises:
        BadData: unlike lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(component, group, weights, decision=y_pred, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    """(TPR gap + FPR gap) / 2, [B]."""
    gap_1, gap_0 = outcome_gaps(table, weights)
    return (gap_1 + gap_0) / 2


component = group_metric(
    "deo_mean",
    "Equalised odds difference (mean)",
    _compute,
    JUDGED,
    unit="difference of rates",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source=f"{FAIRCON}, eq. 2, halved",
    reading="0 is equal error rates for all groups at each true outcome; the mean of the gaps in true "
    "positive and in false positive rates." + CHANCE + EMPTY,
)
