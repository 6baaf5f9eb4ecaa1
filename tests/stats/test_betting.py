"""Tests by betting against sums by hand, the proof's inequality by enumeration, and what may carry on."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from evenhand.stats import betting
from evenhand.stats.betting import BETS, SHARES, Tolerance, Wealth, bet, bet_all, start

EQUAL, FOUR_FIFTHS, FIVE_POINTS = Tolerance("ratio", 1.0), Tolerance("ratio", 0.8), Tolerance("gap", 0.05)
KNOWN = [[99.0, 24.5], [99.0, 49.5]]  # with 1/2 of 1 added: rates of .25 and .5, a level of .375


def test_the_first_block_only_teaches_the_level() -> None:
    wealth = bet(start(), [10, 20], [1, 19], EQUAL)
    assert float(wealth.log_e()) == pytest.approx(0, abs=1e-15)
    assert wealth.seen.tolist() == [[10, 1], [20, 19]]


def test_a_block_without_one_of_the_groups_moves_no_capital() -> None:
    wealth = start(seen=KNOWN)
    after = bet(wealth, [7, 0], [3, 0], EQUAL)
    assert after.logs.tolist() == wealth.logs.tolist()
    assert not betting.staked(wealth, [7, 0])
    assert betting.staked(wealth, [7, 1])
    assert not betting.staked(start(), [7, 1])


def test_one_block_by_hand() -> None:
    """n = (2, 4), so s = bet * 2 * 8 / 6 = 8/3 bet, and at most .6 * 2 = 1.2, which it is for a bet of .45.

    Ratio 1 around .375: both points are .375. First group higher: a1 = s / 2, a2 = s / 4, with x = (1, 1)
    F = (1 + .625 a1)(1 - .375 a1) (1 - .625 a2)(1 + .375 a2)^3.
    """
    after = bet(start(seen=KNOWN), [2, 4], [1, 1], EQUAL)
    expected = []
    for size in BETS:
        s = min(size * 8 / 3, 1.2)
        a, b = s / 2, s / 4
        up = (1 + 0.625 * a) * (1 - 0.375 * a) * (1 - 0.625 * b) * (1 + 0.375 * b) ** 3
        down = (1 - 0.625 * a) * (1 + 0.375 * a) * (1 + 0.625 * b) * (1 - 0.375 * b) ** 3
        expected.append((up, down))
    shares = np.array(SHARES) / sum(SHARES)
    orders = shares @ np.array(expected)
    assert np.exp(after.log_orders()) == pytest.approx(orders)
    assert math.exp(float(after.log_e())) == pytest.approx(orders.mean())


@pytest.mark.parametrize(
    ("tolerance", "first", "second"),
    [
        (FOUR_FIFTHS, 2 * 0.375 / 1.8, 0.8 * 2 * 0.375 / 1.8),  # .4167 and .3333: ratio .8, mean .375
        (FIVE_POINTS, 0.4, 0.35),
        (Tolerance("gap", -0.2), 0.275, 0.475),
        (Tolerance("ratio", 0.1), 0.75 / 1.1, 0.075 / 1.1),
    ],
)
def test_the_point_just_meets_the_tolerance(tolerance: Tolerance, first: float, second: float) -> None:
    assert [float(one) for one in tolerance.point(np.array(0.375))] == pytest.approx([first, second])


@pytest.mark.parametrize("tolerance", [EQUAL, FOUR_FIFTHS, FIVE_POINTS, Tolerance("ratio", 0.3)])
def test_the_mean_capital_after_a_block_is_at_most_one(tolerance: Tolerance) -> None:
    """All outcomes of a block of 2 and 3 with rates that differ from item to item and whose means meet the
    tolerance in both orders: sum of probability * capital <= 1, in each order. Far beyond it, above 1."""
    slope, limit = float(tolerance.slope()), float(np.asarray(tolerance.limit))
    shift = limit if tolerance.kind == "gap" else 0.0

    def mean_capital(rates: tuple[list[float], list[float]]) -> list[float]:
        total = np.zeros(2)
        for outcome in itertools.product((0, 1), repeat=5):
            p = math.prod(r if x else 1 - r for r, x in zip((*rates[0], *rates[1]), outcome, strict=True))
            x = [sum(outcome[:2]), sum(outcome[2:])]
            total += p * np.exp(bet(start(seen=KNOWN), [2, 3], x, tolerance).log_orders())
        return list(total)

    chance = np.random.default_rng(0)
    kept = 0
    for _ in range(40):
        rates = (chance.random(2).tolist(), chance.random(3).tolist())
        p, q = np.mean(rates[0]), np.mean(rates[1])
        if max(slope * p - q, slope * q - p) <= shift:
            kept += 1
            assert max(mean_capital(rates)) <= 1 + 1e-12
    assert kept >= 3 or tolerance is EQUAL
    assert max(mean_capital(([0.1, 0.7], [0.2, 0.5, 0.5]))) <= 1 + 1e-12  # means of .4 on both sides
    assert mean_capital(([0.9, 0.9], [0.0, 0.1, 0.05]))[0] > 1


def test_day_by_day_is_bit_for_bit_the_same_as_at_once_and_through_json() -> None:
    chance = np.random.default_rng(1)
    n = chance.integers(0, 9, (30, 3, 2))
    x = chance.binomial(n, 0.3)
    daily = start((3,))
    for items, ones in zip(n, x, strict=True):
        daily = Wealth.from_lists(json.loads(json.dumps(bet(daily, items, ones, FOUR_FIFTHS).as_lists())))
    at_once = bet_all(start((3,)), n, x, FOUR_FIFTHS)
    alone = bet_all(start(), n[:, 1], x[:, 1], FOUR_FIFTHS)
    assert daily.as_lists() == at_once.as_lists()
    assert alone.logs.tolist() == at_once.logs[1].tolist()


def test_swapping_the_groups_swaps_the_orders_only() -> None:
    n, x = np.array([[5, 9], [8, 4]]), np.array([[1, 6], [3, 3]])
    one = bet_all(start(), n, x, FOUR_FIFTHS)
    other = bet_all(start(), n[:, ::-1], x[:, ::-1], FOUR_FIFTHS)
    assert one.log_orders().tolist() == other.log_orders().tolist()[::-1]
    assert float(one.log_e()) == float(other.log_e())


def test_the_level_fades() -> None:
    """6000 items of a rate of 1 and then 4000 of 0: 5000 kept, then 5000 / 9000 of 9000, so 5/9 are ones."""
    wealth = bet(start(), [6000, 6000], [6000, 6000], EQUAL)
    assert wealth.seen[0].tolist() == [5000, 5000]
    wealth = bet(wealth, [4000, 4000], [0, 0], EQUAL)
    assert wealth.seen[0] == pytest.approx([5000, 5000 * 5 / 9])


@pytest.mark.parametrize("rates", [(1.0, 0.0), (0.0, 0.0), (1.0, 1.0)])
def test_no_stream_of_all_ones_or_none_makes_the_capital_undefined(rates: tuple[float, float]) -> None:
    n = np.full((500, 2), 1000)
    wealth = bet_all(start(), n, n * np.array(rates), Tolerance("gap", 0.9))
    assert np.isfinite(wealth.logs).all()
    assert (float(wealth.log_e()) > 3) == (rates == (1.0, 0.0))


@pytest.mark.parametrize(("n", "x"), [([1, 1], [2, 0]), ([1, 1], [0, -1]), ([float("nan"), 1], [0, 0])])
def test_impossible_counts_are_refused(n: list[float], x: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and its n"):
        bet(start(), n, x, EQUAL)
