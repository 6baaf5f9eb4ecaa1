"""The three states: what holds, what does not, and what the figures cannot tell."""

from __future__ import annotations

import pytest

from evenhand.records import Estimate
from evenhand.reproductions.judging import (
    Change,
    Judgement,
    State,
    at_least,
    at_most,
    every,
    falls,
    keeps,
    opposite,
    rises,
)

HOLDS, FAILS, UNDECIDED = State.HOLDS, State.FAILS, State.UNDECIDED


def change(low: float | None, high: float | None, before: float = 0.4) -> Change:
    """AFGB, whose smallest relevant change from .4 is a tenth of it, .04."""
    value = 0.0 if low is None or high is None else (low + high) / 2
    moved = Estimate(value, low, high, 100)
    return Change(
        "AFGB", "afgb", Estimate(before, None, None, 100), Estimate(before + value, None, None, 100), moved
    )


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (-0.10, -0.05, HOLDS),
        (-0.06, -0.01, UNDECIDED),  # certainly smaller, by .035: less than .04, which is not excluded
        (-0.03, -0.02, FAILS),  # certainly smaller, and a fall of .04 is excluded
        (-0.30, 0.10, UNDECIDED),
        (0.05, 0.10, FAILS),
        (-0.01, 0.01, FAILS),
        (None, None, UNDECIDED),
    ],
)
def test_a_fall(low: float | None, high: float | None, state: State) -> None:
    assert falls(change(low, high)).state is state
    mirrored = change(None if high is None else -high, None if low is None else -low)
    assert rises(mirrored).state is state


def test_the_smallest_relevant_change() -> None:
    assert change(0, 0, before=0.4).relevant == pytest.approx(0.04)
    assert change(0, 0, before=0.05).relevant == pytest.approx(0.01)  # a tenth is less than AFGB's step
    one = change(0, 0)
    ub = Change("UB", "ub", Estimate(0.5, None, None, 9), one.after, one.change)
    assert ub.relevant == pytest.approx(0.05)  # a tenth of what is missing to 1


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [(-0.04, 0.1, HOLDS), (-0.06, 0.1, UNDECIDED), (-0.2, -0.06, FAILS), (None, None, UNDECIDED)],
)
def test_keeping_excludes_a_loss_beyond_the_margin(low: float, high: float, state: State) -> None:
    assert keeps(change(low, high), 0.05).state is state


@pytest.mark.parametrize(
    ("low", "high", "most", "least"),
    [(0.1, 0.2, HOLDS, FAILS), (0.4, 0.6, UNDECIDED, UNDECIDED), (0.7, 0.8, FAILS, HOLDS)],
)
def test_limits(low: float, high: float, most: State, least: State) -> None:
    found = Estimate((low + high) / 2, low, high, 50)
    assert at_most("x", found, 0.5).state is most
    assert at_least("x", found, 0.5).state is least
    assert f"x is {found.value:.3f} [{low:.3f} to {high:.3f}]" in at_least("x", found, 0.5).why


def test_without_an_interval_nothing_is_decided() -> None:
    alone = Estimate(0.1, None, None, 50)
    assert at_most("x", alone, 0.5).state is UNDECIDED
    assert at_least("x", alone, 0.5).state is UNDECIDED


def test_all_parts_have_to_hold_and_those_that_decide_are_named() -> None:
    good, bad, open_ = Judgement(HOLDS, "a"), Judgement(FAILS, "b"), Judgement(UNDECIDED, "c")
    assert every([good, good]) == Judgement(HOLDS, "a; a")
    assert every([good, open_]) == Judgement(UNDECIDED, "c")
    assert every([good, open_, bad]) == Judgement(FAILS, "b")
    assert [opposite(one).state for one in (good, bad, open_)] == [FAILS, HOLDS, UNDECIDED]
