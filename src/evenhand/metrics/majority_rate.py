"""The accuracy of one and the same answer for everybody: the larger share of the two true outcomes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns, Metric, mean_under
from evenhand.metrics._decisions import on_arrays
from evenhand.records import Value


def majority_rate(y_true: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """max(P(y = 1), P(y = 0)) of the true outcomes `y_true` [n], each 1 or 0; None when there are none.

    Raises:
        BadData: `weights` has another length, or an outcome is neither 0 nor 1.
    """
    return on_arrays(component, None, weights, outcome=y_true)


def _compute(table: Columns, weights: Array) -> Array:
    positive = mean_under(table["outcome"], weights)
    return np.maximum(positive, 1.0 - positive)


component = Metric(
    "majority_rate",
    "Rate of the more frequent outcome",
    unit="share of people",
    ideal=None,
    low=0.5,
    high=1.0,
    source="the usual definition",
    reading="What a model reaches that gives everybody the more frequent answer. It describes the people, "
    "not the model: an accuracy below it shows nothing learnt.",
    needs=("outcome",),
    compute=_compute,
    items=lambda table: np.isfinite(table["outcome"]),
)
