"""The policy on fixed counts: three states, by intervals that are worked out by hand."""

from __future__ import annotations

import math

import pytest

from evenhand.monitor.gating import excess, judged
from evenhand.monitor.policy import Bound
from tests.monitor.test_alerting import cohort, day, policy


@pytest.mark.parametrize(
    ("f", "m", "status"),
    [
        ((50, 20), (50, 20), "insufficient data"),  # fewer than the minimum of 100
        ((120, 50), (120, 48), "insufficient data"),  # enough, and too few to tell
        ((4000, 1600), (4000, 1650), "ok"),
        ((4000, 1000), (4000, 1650), "alert"),
        ((4000, 1650), (4000, 1000), "alert"),
    ],
)
def test_three_states(f: tuple[int, int], m: tuple[int, int], status: str) -> None:
    (found,) = judged(policy(), [cohort(0, {"f": f, "m": m})])
    assert found.status == status
    assert found.log_e == 0


def test_the_interval_of_what_is_beyond_the_tolerance() -> None:
    """56/70 and 48/80: Newcombe's .2 (.0524 to .3339, as published), less a gap of .05."""
    low, high = excess(Bound(gap=0.05), (70, 80), (56, 48), 0.95)
    assert (low, high) == pytest.approx((0.0024, 0.2839), abs=5e-5)
    wider = excess(Bound(gap=0.05), (70, 80), (56, 48), 0.99)
    assert wider[0] < low < high < wider[1]


def test_of_a_ratio() -> None:
    """Ratio .8 of 56/70 less 48/80 is .04; Wilson's limits .6918 to .8769 and .4904 to .7004 (z = 1.96)."""
    low, high = excess(Bound(ratio=0.8), (70, 80), (56, 48), 0.95)
    assert low == pytest.approx(0.04 - math.hypot(0.8 * (0.8 - 0.6918), 0.7004 - 0.6), abs=2e-4)
    assert high == pytest.approx(0.04 + math.hypot(0.8 * (0.8769 - 0.8), 0.6 - 0.4904), abs=2e-4)


def test_cohorts_add_up_and_alpha_is_shared() -> None:
    """10 days of (100, 40) and (100, 38): .8 * .4 - .38 = -.06 with a standard error of .020 is shown by one
    rule (2.2 of them needed), and not by 200 (alpha / 200 each: 3.7)."""
    cohorts = [cohort(number, {"f": (100, 40), "m": (100, 38)}) for number in range(10)]
    (one,) = judged(policy(), cohorts)
    assert (one.status, one.n, one.x) == ("ok", (1000, 1000), (400, 380))
    assert day(9) == cohorts[-1].end
    many = judged(policy(rules=200), cohorts)
    assert {found.status for found in many} == {"insufficient data"}


def test_no_difference_at_all_cannot_be_shown() -> None:
    rules = policy()
    none = rules.model_copy(
        update={"rules": (rules.rules[0].model_copy(update={"tolerance": Bound(gap=0)}),)}
    )
    (found,) = judged(none, [cohort(0, {"f": (10**6, 5 * 10**5), "m": (10**6, 5 * 10**5)})])
    assert found.status == "insufficient data"


def test_a_rule_without_counts_is_insufficient() -> None:
    (found,) = judged(policy(), [])
    assert (found.status, found.groups) == ("insufficient data", None)
