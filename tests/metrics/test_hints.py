"""UB: the specification's examples, the form for k groups, hints that are no group."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import BadData
from evenhand.metrics.hints import UB as component
from evenhand.metrics.hints import ub
from evenhand.records import Score
from evenhand.testing import MetricCase, Swap
from tests.support.columns import PRONOUNS, coins, pronouns

PAIRS = np.array([[0.6, 0.2], [0.1, 0.5], [0.3, 0.3]])

CASE = MetricCase(
    "ub",
    lambda n, seed: pronouns(n, seed) | coins(n, seed, "hint"),
    low=[{"p.he": 0.0, "p.she": 1.0, "hint": 0.0}, {"p.he": 1.0, "p.she": 0.0, "hint": 1.0}],
    high=[{"p.he": 0.0, "p.she": 1.0, "hint": 1.0}, {"p.he": 1.0, "p.she": 0.0, "hint": 0.0}],
    swap=Swap(exchanged=PRONOUNS.exchanged, complemented=("hint",)),
)


def test_the_worked_example() -> None:
    # Hints he, she, he: (+0.4 + 0.4 + 0) / 3 = 0.26667
    np.testing.assert_allclose(ub(PAIRS, np.array([0.0, 1.0, 0.0])), [0.4, 0.4, 0.0])
    scores = [
        Score(str(i), "c", {"p.he": he, "p.she": she, "hint": hint})
        for i, ((he, she), hint) in enumerate(zip(PAIRS.tolist(), (0.0, 1.0, 0.0), strict=True))
    ]
    assert component.value(scores) == pytest.approx(0.8 / 3)


def test_a_constant_answer_scores_zero_when_hints_are_balanced() -> None:
    constant = np.tile([1.0, 0.0], (10, 1))
    assert ub(constant, np.arange(10) % 2.0).mean() == 0.0
    # Unbalanced (7 of 10 hints for the constant answer) it scores (7 - 3) / 10.
    assert ub(constant, np.array([0.0] * 7 + [1.0] * 3)).mean() == pytest.approx(0.4)


def test_three_groups_compare_with_the_mean_of_the_others() -> None:
    p = np.array([[0.5, 0.2, 0.1]])
    np.testing.assert_allclose(ub(p, np.array([0.0])), [0.5 - 0.15])
    np.testing.assert_allclose(ub(p, np.array([2.0])), [0.1 - 0.35])
    # Any constant answer is 0 over balanced hints.
    assert sum(ub(p, np.array([h]))[0] for h in (0.0, 1.0, 2.0)) == pytest.approx(0.0)


def test_undefined_items() -> None:
    got = ub(np.array([[0.6, 0.2], [np.nan, 0.2], [0.6, 0.2]]), np.array([np.nan, 0.0, 1.0]))
    np.testing.assert_allclose(got, [np.nan, np.nan, -0.4])
    np.testing.assert_array_equal(ub(np.array([[0.6]]), np.array([0.0])), [np.nan])


@pytest.mark.parametrize("hint", [2.0, -1.0, 0.5])
def test_a_hint_that_is_no_group_is_refused(hint: float) -> None:
    with pytest.raises(BadData, match="Use 0 to 1"):
        ub(PAIRS, np.array([0.0, hint, 1.0]))
