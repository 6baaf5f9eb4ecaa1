"""Difference in equalised odds as a sum: the gap in true positive rates plus the one in false positive rates.

Source: FairCon, equation 2, range 0 to 2; fairlearn and DecodingTrust take the larger gap (`deo_max`).
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics._decisions import CHANCE, EMPTY, FAIRCON, JUDGED, group_metric, on_arrays, outcome_gaps
from evenhand.records import Value


def deo_sum(
    y_true: ArrayLike, y_pred: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None
) -> Value:
    """TPR gap + FPR gap; None if undefined.

    `y_true` and `y_pred` [n] are 1 (favourable) or 0, `group` [n] any labels, `weights` [n] or None for ones.

    Raises:
        BadData: unlike lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(component, group, weights, decision=y_pred, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    """TPR gap + FPR gap, [B]."""
    gap_1, gap_0 = outcome_gaps(table, weights)
    return gap_1 + gap_0


component = group_metric(
    "deo_sum",
    "Equalised odds difference (sum)",
    _compute,
    JUDGED,
    unit="sum of two differences of rates",
    ideal=0.0,
    low=0.0,
    high=2.0,
    step=0.02,
    source=f"{FAIRCON}, eq. 2",
    reading="0 is equal error rates for all groups at each true outcome. As in FairCon a sum, up to "
    "2: compare only with sums." + CHANCE + EMPTY,
)
