"""Areas beside scikit-learn's, their errors beside DeLong's double sum, and what is too few."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evenhand.stats.areas import LEARNT, SHARED, area, too_small

ONE = np.zeros(10, dtype=np.intp)


def two_sided(scores: list[float] | np.ndarray) -> np.ndarray:
    """Scores of the second group, and their opposite for the first, [n, 2]."""
    own = np.asarray(scores, dtype=np.float64)
    return np.stack([-own, own], axis=1)


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    # 25 pairs: 3 is above all of 0 1 2 and ties with 3: of 5 pairs 3 + ½; 4 and 9 are above 4 and 5 of 5; 5
    # ties with none and is above 4; 1 is above 0, and ties with 1: 1½. 3½ + 4 + 5 + 4 + 1½ = 18 of 25.
    inside, outside = [3, 4, 9, 5, 1], [0, 1, 2, 3, 6]
    groups = np.repeat([0, 1], 5)
    found = area(two_sided(outside + inside), groups, ONE)
    assert found is not None
    assert found.value == pytest.approx(18 / 25)


def test_the_area_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 2, 200)
    scores = np.round(rng.normal(size=200) + 0.7 * groups, 1)  # with ties
    found = area(two_sided(scores), groups, np.zeros(200, dtype=np.intp))
    assert found is not None
    assert found.value == pytest.approx(roc_auc_score(groups, scores), abs=1e-12)


def test_the_error_is_the_double_sum_of_delong() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat([0, 1], [40, 30])
    scores = np.round(rng.normal(size=70) + groups, 1)
    x, y = scores[groups == 1], scores[groups == 0]
    above = (x[:, None] > y) + 0.5 * (x[:, None] == y)  # [30, 40]
    value = above.mean()
    first, second = above.mean(axis=1) - value, above.mean(axis=0) - value
    error = np.sqrt((first**2).sum() / 30**2 + (second**2).sum() / 40**2)
    found = area(two_sided(scores), groups, np.zeros(70, dtype=np.intp))
    assert found is not None
    assert found.z == pytest.approx((value - 0.5) / (SHARED * error))
    half = 1.959964 * too_small((value - 0.5) / error) * error
    assert found.low == pytest.approx(value - half, abs=1e-6)
    assert found.high == pytest.approx(min(value + half, 1), abs=1e-6)
    assert found.bound < found.high


def test_folds_share_less_of_chance_where_they_learn_the_same() -> None:
    # 1.4 up to three standard errors from one half, 1.12 from six on, (1.4 + 1.12) / 2 between.
    assert [too_small(d) for d in (0, 3, 6, 40)] == [SHARED, SHARED, LEARNT, LEARNT]
    assert too_small(4.5) == pytest.approx(1.26)


def test_folds_are_compared_within_themselves() -> None:
    # In each fold the group is above all others; over both folds it would not be: the second is 100 higher.
    groups = np.tile(np.repeat([0, 1], 5), 2)
    folds = np.repeat([0, 1], 10).astype(np.intp)
    found = area(two_sided(groups + 100.0 * folds), groups, folds)
    assert found is not None
    assert found.value == 1.0
    assert (found.low, found.high) == (1.0, 1.0)  # nothing varies
    mixed = area(two_sided(groups + 100.0 * folds), groups, np.zeros(20, dtype=np.intp))
    assert mixed is not None
    assert mixed.value == pytest.approx(0.75)


def test_fewer_than_five_on_a_side_have_no_area() -> None:
    groups = np.repeat([0, 1], [6, 4])
    assert area(two_sided(np.arange(10.0)), groups, ONE) is None
    assert area(two_sided(np.arange(10.0)), np.repeat([0, 1], 5), ONE) is not None


def test_three_groups_have_the_mean_of_each_against_the_rest() -> None:
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 3, 120)
    scores = rng.normal(size=(120, 3)) + np.eye(3)[groups]
    found = area(scores, groups, np.zeros(120, dtype=np.intp))
    assert found is not None
    wanted = np.mean([roc_auc_score(groups == g, scores[:, g]) for g in range(3)])
    assert found.value == pytest.approx(wanted, abs=1e-12)
