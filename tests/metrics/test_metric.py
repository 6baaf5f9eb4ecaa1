"""What a metric says of itself beside its figure."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.metrics import Metric


def metric(name: str) -> Metric:
    found: Metric = registry.get("metric", name)
    return found


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("afgb", 0.01),
        ("afgb_normalised", 0.02),
        ("counterfactual_gap", 0.02),
        ("ss", 1.0),
        ("icat", 1.0),
        ("choice_icat", 1.0),
        ("dpd", 0.02),
        ("deo_sum", 0.02),
        ("deo_max", 0.02),
        ("bbq_ambiguous", 0.02),
        ("stereotype_gap", 0.02),
        ("mass", 0.02),  # no ideal
        ("perplexity", 0.02),  # no end
    ],
)
def test_the_smallest_difference_that_matters(name: str, step: float) -> None:
    assert metric(name).smallest_step == step


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("afgb_normalised", "normalised AFGB"),
        ("afgb", "AFGB"),
        ("ub", "UB"),
        ("ss", "SS"),
        ("counterfactual_gap", "counterfactual gap"),
    ],
)
def test_the_name_in_running_text(name: str, label: str) -> None:
    assert metric(name).label == label


def test_which_columns_hold_what_guessing_gives() -> None:
    named = {name for name in registry.names("metric") if metric(name).chance_of}
    assert named == {"accuracy", "accuracy_norm", "decision_accuracy"}
