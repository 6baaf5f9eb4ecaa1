"""Paired changes."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand import stats
from evenhand.errors import NotComparable
from evenhand.records import Score
from tests.stats.made import MEAN, scores


def test_paired_change_of_a_constant_shift_has_no_spread() -> None:
    x = np.random.default_rng(0).normal(size=50)
    change = stats.paired_change(MEAN, scores(x.tolist()), scores((x + 0.25).tolist()), seed=0)
    assert change.value == pytest.approx(0.25)
    assert change.low == pytest.approx(0.25)
    assert change.high == pytest.approx(0.25)
    assert change.ideal is None


def test_paired_change_is_the_bootstrap_of_differences() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 80))
    names = [f"c{i // 4}" for i in range(80)]
    change = stats.paired_change(MEAN, scores(x.tolist(), names), scores(y.tolist(), names), seed=6, B=500)
    direct = stats.estimate(MEAN, scores((y - x).tolist(), names), seed=6, B=500)
    for got, expected in ((change.value, direct.value), (change.low, direct.low), (change.high, direct.high)):
        assert got == pytest.approx(expected)


def test_paired_change_uses_the_items_defined_on_both_sides() -> None:
    # Shared items are the 1st and 4th: (2 + 8)/2 - (1 + 4)/2 = 2.5; each side alone would give other items.
    before, after = scores([1.0, None, 3.0, 4.0]), scores([2.0, 9.0, None, 8.0])
    change = stats.paired_change(MEAN, before, after, B=50)
    assert (change.value, change.n, change.undefined) == (2.5, 2, 2)


def test_paired_change_without_a_shared_item_is_undefined() -> None:
    change = stats.paired_change(MEAN, scores([1.0, None]), scores([None, 2.0]), B=50)
    assert (change.value, change.low, change.high, change.n, change.undefined) == (None, None, None, 0, 2)
    assert stats.paired_change(MEAN, [], [], B=50).value is None


def test_paired_change_matches_items_by_id() -> None:
    before, after = scores([1.0, 2.0, 4.0]), scores([1.5, 2.5, 4.5])
    straight = stats.paired_change(MEAN, before, after, B=50)
    assert stats.paired_change(MEAN, before, after[::-1], B=50) == straight
    assert straight.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    "after",
    [
        [Score("s0", "c0", {"x": 1.0})],
        [Score("s0", "c0", {"x": 1.0}), Score("other", "c1", {"x": 1.0})],
        [Score("s0", "c0", {"x": 1.0}), Score("s0", "c0", {"x": 2.0})],
    ],
)
def test_paired_change_refuses_other_samples(after: list[Score]) -> None:
    with pytest.raises(NotComparable, match="different samples"):
        stats.paired_change(MEAN, scores([1.0, 2.0]), after)


def test_alignment_refuses_to_guess_between_repeated_ids() -> None:
    twice = [Score("a", "c", {"x": 1.0}), Score("a", "c", {"x": 2.0}), Score("b", "c", {"x": 3.0})]
    assert stats.aligned(twice, list(twice)) == twice  # the same order needs no guess
    with pytest.raises(NotComparable):
        stats.aligned(twice, twice[::-1])
