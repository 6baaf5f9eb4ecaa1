"""Accuracy per character and a task's own score: means over the items that have one."""

from __future__ import annotations

import pytest

from evenhand.metrics.accuracies import ACCURACY_NORM as accuracy_norm
from evenhand.metrics.accuracies import TASK_SCORE as task_score
from evenhand.records import Score


def test_by_hand() -> None:
    rows = [
        Score(f"s{i}", "c", {"correct.norm": right, "task_score": own})
        for i, (right, own) in enumerate([(1.0, 0.25), (0.0, -0.75), (None, None), (1.0, 2.0)])
    ]
    assert accuracy_norm.value(rows) == pytest.approx(2 / 3)
    assert task_score.value(rows) == pytest.approx(0.5)
    assert task_score.value(rows[2:3]) is None
