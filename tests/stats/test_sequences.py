"""Confidence sequences against their definition, and their coverage at all times together."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.stats.betting import Tolerance, bet, log_mean, start
from evenhand.stats.sequences import (
    GAPS,
    SHIFTS,
    STAKES,
    differences,
    rate_sequence,
    start_differences,
    watch_differences,
)


def test_the_limit_of_a_rate_is_where_the_capital_is_two_over_alpha() -> None:
    """Of 40 ones in 100: mean over g of exp(40 g) / (1 + p (e^g - 1))^100 = 40 at the lower limit."""
    low, high = rate_sequence(40, 100)
    capital = np.mean(np.exp(40 * SHIFTS) / (1 + float(low) * np.expm1(SHIFTS)) ** 100)
    assert capital == pytest.approx(40)
    mirrored = np.mean(np.exp(60 * SHIFTS) / (1 + (1 - float(high)) * np.expm1(SHIFTS)) ** 100)
    assert mirrored == pytest.approx(40)
    assert 0.2 < float(low) < 0.304  # wider than Wilson's .309 to .498
    assert 0.502 < float(high) < 0.6


def test_rates_at_their_ends() -> None:
    low, high = rate_sequence([0, 0, 50], [0, 50, 50])
    assert low[0] == 0
    assert high[0] == 1
    assert low[1] == 0
    assert 0 < high[1] < 0.25
    assert high[2] == 1
    assert low[2] == pytest.approx(1 - high[1])


def test_it_holds_the_mean_of_a_drifting_rate_at_all_times() -> None:
    """1000 streams of 60 looks at 20 items, the rate rising from .1 to .7: at least 950 have to hold. A rate
    taken as constant, the last one, would be held in none."""
    chance = np.random.default_rng(3)
    rates = 0.1 + 0.6 * np.arange(60) / 59
    x = chance.binomial(20, rates, (1000, 60)).cumsum(-1)
    low, high = rate_sequence(x, np.arange(20, 1201, 20))
    mean = rates.cumsum() / np.arange(1, 61)
    held = ((low <= mean) & (mean <= high)).all(-1).sum()
    assert held == 996
    assert ((low <= rates) & (rates <= high)).all(-1).sum() == 0


def test_a_difference_is_the_tolerance_that_is_just_rejected() -> None:
    """The limit, read off lines between the points of the grid, against the test of that very tolerance."""
    chance = np.random.default_rng(4)
    n = np.array([[20, 30]] * 40)
    x = chance.binomial(n, [0.6, 0.35])
    wealth = start_differences()
    for items, ones in zip(n, x, strict=True):
        wealth = watch_differences(wealth, items, ones)
    low, high = (float(one) for one in differences(wealth))
    assert low < 0.25 < high
    for order, limit in ((0, low), (1, -high)):
        exact = start(shares=(1,) * len(STAKES))
        for items, ones in zip(n, x, strict=True):
            exact = bet(exact, items, ones, Tolerance("gap", limit), bets=STAKES)
        found = float(log_mean(exact.logs)[order])
        assert np.log(40) <= found < np.log(40) + 0.05  # rejected, and by hardly more than needed


def test_log_capitals_fall_and_are_concave_in_the_tolerance() -> None:
    """What the lines between the points of the grid rely on."""
    wealth = start_differences()
    for ones in ([3, 9], [5, 1], [0, 12]):
        wealth = watch_differences(wealth, [10, 12], ones)
    steps = np.diff(wealth.logs, axis=0)  # [gap - 1, order, bet]
    assert (steps <= 1e-12).all()
    assert (np.diff(steps, axis=0) <= 1e-12).all()
    assert len(wealth.logs) == len(GAPS)


def test_nothing_seen_is_minus_one_to_one() -> None:
    assert [float(one) for one in differences(start_differences())] == [-1.0, 1.0]
    low, high = differences(start_differences((2,)))
    assert low.tolist() == [-1, -1]
    assert high.tolist() == [1, 1]
