"""Disparate impact: the smallest group's rate of favourable decisions as a share of the largest.

Source: the four-fifths rule (29 CFR 1607.4 D); the same as fairlearn's ``demographic_parity_ratio``.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics._decisions import EMPTY, OBSERVED, group_metric, on_arrays, rates
from evenhand.metrics._gaps import ratio
from evenhand.records import Value


def disparate_impact(
    y_true: ArrayLike, y_pred: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None
) -> Value:
    """Smallest over largest P(decision = 1 | group); None if undefined, as 0/0 is.

    `y_true` and `y_pred` [n] are 1 (favourable) or 0, `group` [n] any labels, `weights` [n] or None for ones.

    `y_true` changes nothing; it stands here so that all these figures are called alike, and is checked alike.

    Raises:
        BadData: unlike lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(component, group, weights, decision=y_pred, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    """Smallest over largest rate, [B]; NaN where nobody gets a favourable decision."""
    return ratio(rates(table["decision"], table.group("member"), weights))


component = group_metric(
    "disparate_impact",
    "Disparate impact ratio",
    _compute,
    OBSERVED,
    unit="ratio of rates",
    ideal=1.0,
    low=0.0,
    high=1.0,
    source="29 CFR 1607.4 D (the four-fifths rule)",
    reading="1 is one rate for all groups; below 0.8 the four-fifths rule sees adverse impact. A "
    "model without any favourable decision has no ratio. Chance pulls it below 1: read it "
    "with its interval." + EMPTY,
)
