"""Gaps over groups: pairs by hand, Tukey's quantiles, permutation against enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evenhand.stats.gaps import (
    Rates,
    between,
    design_effect,
    equal_rates,
    gap_ends,
    group_rates,
    icat_ends,
    range_quantile,
    ratio_ends,
    within,
)
from evenhand.stats.paired import tango
from evenhand.stats.proportions import newcombe, wilson
from evenhand.stats.ratios import mean_of

Z95 = 1.959964


def rates(*pairs: tuple[float, float]) -> Rates:
    return Rates(np.array([p for p, _ in pairs]), np.array([n for _, n in pairs], dtype=float))


@pytest.mark.parametrize(("groups", "q"), [(2, 2.772), (3, 3.314), (4, 3.633), (5, 3.858), (10, 4.474)])
def test_tukeys_quantiles_as_tabulated(groups: int, q: float) -> None:
    # The studentised range with infinite degrees of freedom at 95 %, over sqrt(2): 1.96, 2.34, 2.57.
    assert range_quantile(groups) == pytest.approx(q / np.sqrt(2), abs=1e-3)


def test_two_gaps_at_once_need_a_larger_quantile() -> None:
    # For two groups the sum of two |N(0,1)| over sqrt(2) is the larger of two such in turned axes, and both
    # have the quantile of Φ(z) = (1 + sqrt(0.95)) / 2: 2.2365.
    assert range_quantile(2, 2) == pytest.approx(2.2365, abs=1e-3)
    assert range_quantile(2, 2, "max") == pytest.approx(2.2365, abs=1e-3)


def test_the_gap_of_two_groups_is_newcombes_interval_without_its_lower_part() -> None:
    found = gap_ends([between(rates((0.8, 70), (0.6, 80)))], 2)
    assert found == pytest.approx(newcombe((0.8, 0.6), (70, 80)), abs=1e-5)
    even = gap_ends([between(rates((0.6, 80), (0.6, 80)))], 2)
    assert even[0] == 0.0
    assert even[1] == pytest.approx(newcombe((0.6, 0.6), (80, 80))[1], abs=1e-5)


def test_the_order_of_the_groups_does_not_matter() -> None:
    one = [(0.2, 40.0), (0.5, 60.0), (0.35, 90.0)]
    expected = gap_ends([between(rates(*one))], 3)
    for order in itertools.permutations(one):
        assert gap_ends([between(rates(*order))], 3) == pytest.approx(expected)


def test_three_groups_are_the_widest_pair() -> None:
    three = rates((0.2, 40), (0.5, 60), (0.35, 90))
    assert gap_ends([between(three)], 3)[1] == pytest.approx(newcombe((0.5, 0.2), (60, 40))[1], abs=1e-5)
    z = range_quantile(3)
    low, high = wilson(three.p, three.n, z)
    by_hand = 0.3 - np.hypot(0.5 - low[1], high[0] - 0.2)
    assert gap_ends([between(three)], 3)[0] == pytest.approx(by_hand)


def test_the_sum_of_two_gaps_adds_squares_of_distances() -> None:
    # TPR .8 (70) against .6 (80) and FPR .4 (50) against .1 (60): the signed sum .2 + .3.
    first, second = rates((0.8, 70), (0.6, 80)), rates((0.4, 50), (0.1, 60))
    ends = gap_ends([between(first), between(second)], 2)
    high_1, high_2 = newcombe((0.8, 0.6), (70, 80))[1], newcombe((0.4, 0.1), (50, 60))[1]
    assert high_1 is not None
    assert high_2 is not None
    assert ends[1] == pytest.approx(0.5 + np.hypot(high_1 - 0.2, high_2 - 0.3), abs=1e-5)
    # Half the sum (the mean) has half the ends, and signs of the gaps change nothing.
    turned = rates((0.1, 60), (0.4, 50))
    assert gap_ends([between(first), between(turned)], 2) == pytest.approx(ends)
    half = gap_ends([between(first), between(second)], 2, scale=0.5)
    assert half == pytest.approx((ends[0] / 2, ends[1] / 2))  # type: ignore[operator]


def test_the_larger_of_two_gaps_is_bounded_by_its_pairs() -> None:
    first, second = rates((0.8, 70), (0.6, 80)), rates((0.4, 50), (0.1, 60))
    highs = [gap_ends([between(one)], 2)[1] for one in (first, second)]
    assert gap_ends([between(first), between(second)], 2, how="max")[1] == pytest.approx(max(highs))  # type: ignore[type-var]


def test_movers_ratio_is_where_the_difference_has_a_limit_of_0() -> None:
    # θ is a limit of p1 / p2 when 0 is one of p1 - θ p2, by MOVER from the limits of p1 and θ p2.
    p, n = (0.3, 0.5), (40.0, 60.0)
    (l1, l2), (u1, u2) = wilson(p, n, Z95)
    low, high = ratio_ends(rates((p[0], n[0]), (p[1], n[1])))
    assert low is not None
    assert high is not None
    assert p[0] - low * p[1] == pytest.approx(np.hypot(p[0] - l1, low * (u2 - p[1])), abs=1e-5)
    assert high * p[1] - p[0] == pytest.approx(np.hypot(u1 - p[0], high * (p[1] - l2)), abs=1e-4)


def test_ratios_of_extreme_rates() -> None:
    low, high = ratio_ends(rates((0.0, 20), (0.4, 20)))
    assert low == 0.0
    assert high is not None
    assert 0 < high < 1
    assert ratio_ends(rates((0.0, 20), (0.0, 20))) == (None, None)
    even = ratio_ends(rates((0.5, 30), (0.5, 30)))
    assert even[1] == 1.0


def test_nothing_seen_in_either_group_leaves_a_gap_open() -> None:
    # 0 of 20 in both: Wilson's upper limit z² / (n + z²) = 0.1611.
    assert gap_ends([between(rates((0.0, 20), (0.0, 20)))], 2) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_groups_count_their_own_people() -> None:
    x = np.array([1.0, 0.0, 1.0, 1.0, np.nan])
    members = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], dtype=float)
    found = group_rates(x, members)
    assert found
    np.testing.assert_array_equal(found.p, [0.5, 1.0])
    np.testing.assert_array_equal(found.n, [2.0, 2.0])
    assert group_rates(x, np.array([[1.0, 0.0]] * 5)) is None  # nobody in the second
    assert group_rates(x, np.ones((5, 1))) is None
    assert gap_ends([], 2) == (None, None)


def test_clustered_people_are_worth_less() -> None:
    x = np.repeat([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0], 4)
    members = (np.arange(40)[:, None] >= 20) == np.array([False, True])
    alone = group_rates(x, members.astype(float))
    whole = group_rates(x, members.astype(float), np.repeat(np.arange(10), 4))
    assert alone
    assert whole
    assert (whole.n <= 5).all()
    assert (alone.n == 20).all()


def test_twins_are_compared_by_tango() -> None:
    decisions = np.array([[1, 0]] * 7 + [[0, 1]] * 1 + [[1, 1]] * 13, dtype=float)
    found = within(decisions)
    assert found
    assert gap_ends([found], 2)[1] == pytest.approx(float(tango(7, 1, 21, Z95)[1]), abs=1e-5)
    assert within(np.full((3, 2), np.nan)) is None
    assert within(np.ones((3, 1))) is None


def test_the_design_effect_of_copies_is_their_number() -> None:
    d = np.repeat(np.random.default_rng(0).normal(size=50), 4)
    # Copies have 4 times the variance of independent ones, but for (50/49) / (200/199).
    assert design_effect(d, np.repeat(np.arange(50), 4)) == pytest.approx(4 * (50 / 49) / (200 / 199))
    assert design_effect(d, None) == 1.0


def _gap(parts: list[np.ndarray]) -> np.ndarray:
    return np.abs(parts[0][:, 0] - parts[0][:, 1])


def test_permutation_against_all_ways_to_choose() -> None:
    # 3 of 4 and 1 of 4 favourable: 4 of 8 in all. The first group draws j of the 4 with probability
    # C(4,j) C(4,4-j) / 70 = 1, 16, 36, 16, 1 of 70; gaps 1, 1/2, 0, 1/2, 1: p = 34/70, mean (2 + 16)/70.
    found = equal_rates([(np.array([[3.0, 1.0]]), np.array([[4.0, 4.0]]))], _gap, draws=20_000)  # type: ignore[arg-type]
    assert found
    assert found.p == pytest.approx(34 / 70, abs=0.02)
    assert found.expected == pytest.approx(18 / 70, abs=0.01)


def test_permutation_within_strata_explains_what_strata_explain() -> None:
    # In each stratum the groups fare alike (all, none); over both they differ only since they live in others.
    won, people = np.array([[9.0, 1.0], [0.0, 0.0]]), np.array([[9.0, 1.0], [1.0, 9.0]])
    assert equal_rates([(won, people)], _gap, draws=500).p == 1.0  # type: ignore[union-attr, arg-type]
    pooled = [(won.sum(axis=0, keepdims=True), people.sum(axis=0, keepdims=True))]
    assert equal_rates(pooled, _gap, draws=500).p < 0.05  # type: ignore[union-attr, arg-type]


def test_permutation_without_a_group_is_undefined() -> None:
    assert equal_rates([(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0]]))], _gap) is None  # type: ignore[arg-type]


def test_icat_is_the_lower_of_its_two_products() -> None:
    rng = np.random.default_rng(2)
    codes = np.repeat(np.arange(40), 5)
    related, preferred = (rng.random((2, 200)) < np.array([[0.9], [0.8]])).astype(float)
    lms, ss = mean_of(related, codes), mean_of(preferred, codes)
    assert lms
    assert ss
    low, high = icat_ends(lms, ss)
    # Far from SS 50 it is the product with 1 - SS alone: its linearised t interval.
    s, m = ss.value, lms.value
    u = 200 * ((1 - s) * lms.influence - m * ss.influence)
    half = 2.02269 * np.sqrt(40 / 39 * np.square(u).sum())  # t_39
    value = 200 * m * (1 - s)
    assert (low, high) == pytest.approx((value - half, value + half), rel=1e-5)


def test_icat_without_a_spread_is_bounded_by_its_parts() -> None:
    # LMS and SS 100 in all of ten terms: each share is 1 - q to 1, q = 1 - 0.025^(1/10) = 0.3085.
    ones = mean_of(np.ones(10))
    assert ones
    low, high = icat_ends(ones, ones)
    assert low == 0.0
    assert high == pytest.approx(200 * 0.3085, abs=0.01)


def test_icat_uses_terms_that_only_one_figure_has() -> None:
    codes = np.repeat(np.arange(10), 4)
    rng = np.random.default_rng(3)
    related = (rng.random(40) < 0.8).astype(float)
    preferred = np.where(codes < 8, (rng.random(40) < 0.5).astype(float), np.nan)
    lms, ss = mean_of(related, codes), mean_of(preferred, codes)
    assert lms
    assert ss
    low, high = icat_ends(lms, ss)
    assert low is not None
    assert high is not None
    assert low < 200 * lms.value * min(ss.value, 1 - ss.value) <= high
