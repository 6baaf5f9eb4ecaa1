"""Accuracy over the questions that have an answer."""

from __future__ import annotations

import pytest

from evenhand.metrics.accuracies import ACCURACY as component
from evenhand.records import Score


def scores(*correct: float | None) -> list[Score]:
    return [Score(str(i), "c", {"correct": value}) for i, value in enumerate(correct)]


def test_ties_and_unparsed_answers_are_left_out() -> None:
    assert component.value(scores(1.0, 0.0, 1.0, None)) == pytest.approx(2 / 3)
    assert component.value(scores(None, None)) is None
