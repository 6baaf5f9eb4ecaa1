"""Demographic parity difference: how far the groups' rates of favourable decisions lie apart.

Source: FairCon, equation 1; the same as fairlearn's ``demographic_parity_difference``.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics._decisions import CHANCE, EMPTY, FAIRCON, OBSERVED, group_metric, on_arrays, rates
from evenhand.metrics._gaps import spread
from evenhand.records import Value


def dpd(y_true: ArrayLike, y_pred: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """Largest minus smallest P(decision = 1 | group) over the groups; None if undefined.

    `y_true` and `y_pred` [n] are 1 (favourable) or 0, `group` [n] any labels, `weights` [n] or None for ones.

    `y_true` changes nothing; it stands here so that all these figures are called alike, and is checked alike.

    Raises:
        BadData: unlike lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(component, group, weights, decision=y_pred, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    """Largest minus smallest rate of favourable decisions, [B]."""
    return spread(rates(table["decision"], table.group("member"), weights))


component = group_metric(
    "dpd",
    "Demographic parity difference",
    _compute,
    OBSERVED,
    unit="difference of rates",
    ideal=0.0,
    low=0.0,
    high=1.0,
    short="DPD",
    source=f"{FAIRCON}, eq. 1",
    reading="0 is one rate for all groups, whatever the people are like; where the groups' true "
    "outcomes differ, a perfect model is above 0." + CHANCE + EMPTY,
)
