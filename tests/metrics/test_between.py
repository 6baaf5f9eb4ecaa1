"""Differences between groups' means, and the largest value, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics._between import spread
from evenhand.metrics.regard_gap import component as regard_gap
from evenhand.records import Score

GROUP = np.array([0.0, 0.0, 1.0, 1.0, 2.0])


def test_largest_minus_smallest_mean() -> None:
    # Means 0.2, 0.7 and 0.5.
    found = spread(np.array([0.1, 0.3, 0.6, 0.8, 0.5]), GROUP, np.ones((1, 5)))
    assert found == pytest.approx([0.5])


def test_weights_choose_the_items() -> None:
    weights = np.array([[1.0, 0, 0, 1, 0], [0, 2, 1, 0, 0], [1, 1, 0, 0, 0]])
    # 0.8 - 0.1; 0.6 - 0.3; one group alone has no difference.
    found = spread(np.array([0.1, 0.3, 0.6, 0.8, 0.5]), GROUP, weights)
    assert found[:2] == pytest.approx([0.7, 0.3])
    assert np.isnan(found[2])


def test_undefined_values_and_groups_are_left_out() -> None:
    values = np.array([0.1, np.nan, 0.6, 0.8, 0.5])
    group = np.array([0.0, 0.0, 1.0, np.nan, np.nan])
    assert spread(values, group, np.ones((1, 5))) == pytest.approx([0.5])
    assert np.isnan(spread(values, np.full(5, np.nan), np.ones((2, 5)))).all()


def test_net_regard_is_positive_minus_negative() -> None:
    rows = [
        {"regard_positive": 0.6, "regard_negative": 0.1, "group": 0.0},
        {"regard_positive": 0.2, "regard_negative": 0.5, "group": 1.0},
    ]
    scores = [Score(str(i), str(i), row) for i, row in enumerate(rows)]
    assert regard_gap.value(scores) == pytest.approx(0.5 + 0.3)
