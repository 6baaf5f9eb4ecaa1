"""Group error gap: how far the groups' error rates lie apart.

Source: the usual definition, |err_A - err_B| for two groups; for k groups largest minus smallest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics._decisions import CHANCE, EMPTY, JUDGED, group_metric, on_arrays, rates
from evenhand.metrics._gaps import spread
from evenhand.records import Value


def error_gap(
    y_true: ArrayLike, y_pred: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None
) -> Value:
    """Largest minus smallest share of wrong decisions; None if undefined.

    `y_true` and `y_pred` [n] are 1 (favourable) or 0, `group` [n] any labels, `weights` [n] or None for ones.

    Raises:
        BadData: unlike lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(component, group, weights, decision=y_pred, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    """Largest minus smallest error rate, [B]."""
    wrong = np.abs(table["decision"] - table["outcome"])
    return spread(rates(wrong, table.group("member"), weights))


component = group_metric(
    "error_gap",
    "Group error gap",
    _compute,
    JUDGED,
    unit="difference of rates",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source="the usual definition; k groups: largest minus smallest",
    reading="0 is decisions that are wrong equally often for all groups; it does not say to whose "
    "favour." + CHANCE + EMPTY,
)
