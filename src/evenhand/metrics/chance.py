"""The accuracy that decisions of the model's own rate would have by chance."""

from __future__ import annotations

from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns, mean_under
from evenhand.metrics._decisions import group_metric, on_arrays
from evenhand.records import Value


def chance(y_true: ArrayLike, y_pred: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """P(ŷ=1) P(y=1) + P(ŷ=0) P(y=0) for decisions `y_pred` and outcomes `y_true` [n], each 1 or 0.

    Raises:
        BadData: unlike lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(component, None, weights, decision=y_pred, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    decided, true = (mean_under(table[name], weights) for name in ("decision", "outcome"))
    return decided * true + (1.0 - decided) * (1.0 - true)


component = group_metric(
    "chance",
    "Accuracy by chance at the model's own rate",
    _compute,
    ("decision", "outcome"),
    unit="share of people",
    ideal=None,
    low=0.0,
    high=1.0,
    source="the agreement expected by chance in Cohen 1960 (kappa)",
    reading="What decisions reach that are favourable as often as the model's, but to random people. "
    "An accuracy near it shows that the decisions have nothing to do with the outcomes.",
)
