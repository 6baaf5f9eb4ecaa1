"""The share of right decisions. Read it beside `majority_rate` and `chance`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns, mean_metric
from evenhand.metrics._decisions import on_arrays
from evenhand.records import Value


def decision_accuracy(y_true: ArrayLike, y_pred: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """The share of decisions `y_pred` [n] that equal the true outcome `y_true` [n], each 1 or 0.

    `weights` [n], None for ones. None when there is no decision.

    Raises:
        BadData: unlike lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(component, None, weights, decision=y_pred, outcome=y_true)


def _right(table: Columns) -> Array:
    return 1.0 - np.abs(table["decision"] - table["outcome"])


component = mean_metric(
    "decision_accuracy",
    "Accuracy of decisions",
    per_item=_right,
    unit="share of people",
    ideal=1.0,
    low=0.0,
    high=1.0,
    chance_of="chance",
    source="the usual definition; undecided answers (ties) are left out and counted",
    reading="Read it beside majority_rate, which one and the same answer for everybody reaches, and beside "
    "chance, which decisions drawn at the model's own rate reach. A model at chance looks fair for nothing.",
    needs=("decision", "outcome"),
)
