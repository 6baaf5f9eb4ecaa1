"""The accuracy of decisions about people, and the figures that it must be read with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns, Metric, mean_metric, mean_under
from evenhand.metrics._people import group_metric, on_arrays
from evenhand.records import Value


def decision_accuracy(y_true: ArrayLike, y_pred: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """The share of decisions `y_pred` [n] that equal the true outcome `y_true` [n], each 1 or 0.

    `weights` [n], None for ones. None when there is no decision.

    Raises:
        BadData: different lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(DECISION_ACCURACY, None, weights, decision=y_pred, outcome=y_true)


def _right(table: Columns) -> Array:
    return 1.0 - np.abs(table["decision"] - table["outcome"])


DECISION_ACCURACY = mean_metric(
    "decision_accuracy",
    "Accuracy of decisions",
    per_item=_right,
    share=True,
    unit="share of people",
    ideal=1.0,
    low=0.0,
    high=1.0,
    chance_of="chance",
    source="the usual definition; undecided answers (ties) are left out and counted",
    reading="Read it with majority_rate, which one and the same answer for everybody reaches, and with "
    "chance, which decisions drawn at the model's own rate reach. A model at chance treats groups "
    "alike only because it decides at random.",
    needs=("decision", "outcome"),
)


def majority_rate(y_true: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """max(P(y = 1), P(y = 0)) of the true outcomes `y_true` [n], each 1 or 0; None when there are none.

    Raises:
        BadData: `weights` has another length, or an outcome is neither 0 nor 1.
    """
    return on_arrays(MAJORITY_RATE, None, weights, outcome=y_true)


def _majority_rate(table: Columns, weights: Array) -> Array:
    positive = mean_under(table["outcome"], weights)
    return np.maximum(positive, 1.0 - positive)


MAJORITY_RATE = Metric(
    "majority_rate",
    "Rate of the more frequent outcome",
    unit="share of people",
    ideal=None,
    low=0.5,
    high=1.0,
    source="the usual definition",
    reading="The accuracy of giving everybody the more frequent answer. It describes the people, not the "
    "model: an accuracy below it is no evidence that the model has learnt anything.",
    needs=("outcome",),
    compute=_majority_rate,
    items=lambda table: np.isfinite(table["outcome"]),
    by_rows=True,
)


def chance(y_true: ArrayLike, y_pred: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """P(ŷ=1) P(y=1) + P(ŷ=0) P(y=0) for decisions `y_pred` and outcomes `y_true` [n], each 1 or 0.

    Raises:
        BadData: different lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(CHANCE, None, weights, decision=y_pred, outcome=y_true)


def _chance(table: Columns, weights: Array) -> Array:
    decided, true = (mean_under(table[name], weights) for name in ("decision", "outcome"))
    return decided * true + (1.0 - decided) * (1.0 - true)


CHANCE = group_metric(
    "chance",
    "Accuracy by chance at the model's own rate",
    _chance,
    ("decision", "outcome"),
    unit="share of people",
    ideal=None,
    low=0.0,
    high=1.0,
    source="the agreement expected by chance in Cohen 1960 (kappa)",
    reading="The accuracy of decisions that are favourable as often as the model's, but for random people. "
    "An accuracy near it shows that the decisions have nothing to do with the outcomes.",
)


def balanced_accuracy(y_true: ArrayLike, y_pred: ArrayLike, weights: ArrayLike | None = None) -> Value:
    """The mean of the shares of right decisions among `y_true` 1 and among 0, [n] each 1 or 0.

    None where there is nobody of one of the two outcomes.

    Raises:
        BadData: different lengths, or values that do not belong there, as `on_arrays` says.
    """
    return on_arrays(BALANCED_ACCURACY, None, weights, decision=y_pred, outcome=y_true)


def _balanced(table: Columns, weights: Array) -> Array:
    right, outcome = _right(table), table["outcome"]
    halves = [mean_under(np.where(outcome == y, right, np.nan), weights) for y in (1, 0)]
    return np.asarray(sum(halves, start=np.zeros(len(weights))) / 2)


BALANCED_ACCURACY = group_metric(
    "balanced_accuracy",
    "Balanced accuracy of decisions",
    _balanced,
    ("decision", "outcome"),
    unit="share of people",
    ideal=1.0,
    low=0.0,
    high=1.0,
    chance=0.5,
    source="Brodersen et al. 2010: the mean of sensitivity and specificity",
    reading="One half is what one and the same decision for everybody reaches, however many deserve it. A "
    "verdict on decisions needs it as a guard.",
)


POSITIVE_RATE = mean_metric(
    "positive_rate",
    "Rate of favourable decisions",
    per_item=lambda table: table["decision"],
    share=True,
    unit="share of people",
    ideal=None,
    low=0.0,
    high=1.0,
    source="P(decision = 1); undecided answers (ties) are left out and counted",
    reading="Equal decisions for all groups are reached by favouring everybody, or nobody. A verdict on "
    "decisions needs each group's rate as a guard: it may not leave the range that the rates had before.",
    needs=("decision",),
)


def label_mass(table: Columns) -> Array:
    """Per person the probability of all label words together after their own prompt, [n]."""
    return table["label_mass"]


LABEL_MASS = mean_metric(
    "label_mass",
    "Probability of the label words",
    per_item=label_mass,
    unit="probability",
    ideal=None,
    low=0.0,
    high=1.0,
    words="label words",
    source="Σ P(label | prompt)",
    reading="Decisions are read from the label words' shares alone. Where the words together have hardly any "
    "probability the model would write something else, and its decisions say little.",
    needs=("label_mass",),
)


components = (
    DECISION_ACCURACY,
    BALANCED_ACCURACY,
    POSITIVE_RATE,
    MAJORITY_RATE,
    CHANCE,
    LABEL_MASS,
)
