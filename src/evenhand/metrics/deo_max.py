"""Difference in equalised odds as fairlearn and DecodingTrust take it: the larger of the two gaps.

Source: fairlearn's ``equalized_odds_difference``; DecodingTrust (Wang et al. 2023), section on fairness.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics._decisions import CHANCE, EMPTY, JUDGED, group_metric, on_arrays, outcome_gaps
from evenhand.records import Value


def deo_max(
    y_true: ArrayLike, y_pred: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None
) -> Value:
    """The larger of the TPR gap and the FPR gap; None if undefined.

    `y_true` and `y_pred` [n] are 1 (favourable) or 0, `group` [n] any labels, `weights` [n] or None for ones.

    Raises:
        BadData: unlike lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(component, group, weights, decision=y_pred, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    """max(TPR gap, FPR gap), [B]."""
    return np.maximum(*outcome_gaps(table, weights))


component = group_metric(
    "deo_max",
    "Equalised odds difference (max)",
    _compute,
    JUDGED,
    unit="difference of rates",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source="Wang et al. 2023 (DecodingTrust), arXiv:2306.11698; Hardt et al. 2016",
    reading="0 is equal error rates for all groups at each true outcome; the larger of the gaps in "
    "true positive and in false positive rates." + CHANCE + EMPTY,
)
