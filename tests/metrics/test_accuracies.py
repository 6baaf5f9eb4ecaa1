"""Accuracy over the questions that have an answer."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics import Array
from evenhand.metrics.accuracies import ACCURACY as component
from evenhand.records import Score
from evenhand.testing import MetricCase, Swap
from tests.support.columns import coins

PARTS = (
    "correct",
    "correct.norm",
    *(f"correct.{part}" for part in ("pro", "anti", "male", "female", "neutral")),
)


def made(n: int, seed: int) -> dict[str, Array]:
    """Right and wrong answers of all sorts, and a task's own score."""
    score = np.random.default_rng([seed, 6]).normal(size=n)
    return coins(n, seed, *PARTS, "same_answer") | {"task_score": score}


def case(name: str, column: str, swapped: str = "keeps") -> MetricCase:
    """A share of right answers."""
    return MetricCase(name, made, [{column: 0.0}], [{column: 1.0}], GENDERS, swapped)


def gap(name: str, first: str, second: str, swapped: str = "keeps") -> MetricCase:
    """A difference of two shares."""
    low, high = ({first: value, second: 1 - value} for value in (0.0, 1.0))
    return MetricCase(name, made, [low], [high], GENDERS, swapped)


GENDERS = Swap(exchanged=(("correct.male", "correct.female"),))
CASES = (
    case("accuracy", "correct"),
    case("accuracy_norm", "correct.norm"),
    case("accuracy_pro", "correct.pro"),
    case("accuracy_anti", "correct.anti"),
    case("accuracy_male", "correct.male", "accuracy_female"),
    case("accuracy_female", "correct.female", "accuracy_male"),
    case("accuracy_neutral", "correct.neutral"),
    gap("stereotype_gap", "correct.pro", "correct.anti"),
    gap("gender_gap", "correct.male", "correct.female", "flips"),
    case("same_answer", "same_answer"),
    MetricCase("task_score", made),
)


def scores(*correct: float | None) -> list[Score]:
    return [Score(str(i), "c", {"correct": value}) for i, value in enumerate(correct)]


def test_ties_and_unparsed_answers_are_left_out() -> None:
    assert component.value(scores(1.0, 0.0, 1.0, None)) == pytest.approx(2 / 3)
    assert component.value(scores(None, None)) is None
