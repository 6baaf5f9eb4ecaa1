"""The KL over options: by hand, and what is undefined."""

from __future__ import annotations

import math

import pytest

from evenhand.errors import NotComparable
from evenhand.records import Score
from evenhand.studies.options_kl import options_kl


def item(name: str, *shares: float | None) -> Score:
    return Score(name, name, {"correct": 1.0, **{f"share.{i}": share for i, share in enumerate(shares)}})


def test_by_hand() -> None:
    # 1/2 ln(1/2 : 1/4) + 1/2 ln(1/2 : 3/4) = 1/2 ln 2 + 1/2 ln(2/3) = 1/2 ln(4/3); the direction matters:
    # 1/4 ln(1/2) + 3/4 ln(3/2).
    even, uneven = [item("a", 0.5, 0.5)], [item("a", 0.25, 0.75)]
    assert options_kl(even, uneven) == [pytest.approx(0.5 * math.log(4 / 3))]
    assert options_kl(uneven, even) == [pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))]
    assert options_kl(even, even) == [0.0]


def test_options_without_a_share() -> None:
    # 0 ln 0 adds nothing: 1 ln(1 : 1/2) = ln 2; a share that is lost altogether is infinitely far.
    sure, even = [item("a", 1.0, 0.0)], [item("a", 0.5, 0.5)]
    assert options_kl(sure, even) == [pytest.approx(math.log(2))]
    assert options_kl(even, sure) == [math.inf]


def test_items_are_matched_by_id_in_the_order_before() -> None:
    before = [item("a", 1.0, 0.0), item("b", 0.5, 0.5)]
    after = [item("b", 0.5, 0.5), item("a", 0.25, 0.75)]
    assert options_kl(before, after) == [pytest.approx(math.log(4)), 0.0]


def test_more_than_ten_options_keep_their_order() -> None:
    # As texts, share.10 stands before share.2; with unlike places the divergence would not be 0.
    shares = [i / 66 for i in range(1, 12)]
    one = item("a", *shares)
    other = Score("a", "a", dict(reversed(list(one.values.items()))))
    assert options_kl([one], [other]) == [0.0]


def test_undefined_shares_have_no_divergence() -> None:
    there, gone = [item("a", 0.5, 0.5)], [item("a", None, None)]
    assert options_kl(there, gone) == options_kl(gone, there) == [None]
    assert options_kl([], []) == []


@pytest.mark.parametrize("after", [item("a", 1.0), item("a"), item("b", 0.5, 0.5)])
def test_other_items_or_options_are_refused(after: Score) -> None:
    with pytest.raises(NotComparable):
        options_kl([item("a", 0.5, 0.5)], [after])


def test_scores_without_shares_are_refused() -> None:
    with pytest.raises(NotComparable, match="0 options' shares before and 0 after"):
        options_kl([item("a")], [item("a")])
