"""Tests of means and groups against enumeration and scipy, and Holm's adjustment."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evenhand import stats
from evenhand.errors import BadData, UsageError
from evenhand.stats import means, resampling
from evenhand.stats.hypothesis import mean_test, two_groups


def test_permutation_of_three_pairs_by_hand() -> None:
    # Sums of ±1 ±2 ±3: 6 twice two-sided of 8 patterns; above: 1 of 8; below: all 8 are <= 6.
    assert stats.paired_permutation([1.0, 2.0, 3.0]) == 2 / 8
    assert stats.paired_permutation([1.0, 2.0, 3.0], alternative="greater") == 1 / 8
    assert stats.paired_permutation([1.0, 2.0, 3.0], alternative="less") == 1.0
    assert stats.paired_permutation([-1.0, -2.0, -3.0], alternative="less") == 1 / 8


def test_permutation_flips_clusters_whole() -> None:
    # Clusters sum to 4 and -1: |±4 ±1| is 5, 3, 3, 5; the observed 3 is reached by all four.
    assert stats.paired_permutation([1.0, 3.0, -1.0], ["a", "a", "b"]) == 1.0
    # Sums 4 and 1: only ±5 of four patterns reach 5.
    assert stats.paired_permutation([1.0, 3.0, 1.0], ["a", "a", "b"]) == 0.5
    assert stats.paired_permutation([1.0, 3.0, 1.0]) == 2 / 8


def test_permutation_ties_survive_rounding() -> None:
    # Patterns that tie in whole numbers must tie in tenths, where sums depend on their order.
    tenths = np.array([3, 1, 1, 8, -4, 6, 3, -9])
    signs = np.array(list(itertools.product([-1, 1], repeat=8)))
    exact = np.mean(np.abs(signs @ tenths) >= abs(tenths.sum()))
    assert stats.paired_permutation(0.1 * tenths) == exact


def test_random_draws_agree_with_the_exact_test() -> None:
    d = np.random.default_rng(0).normal(0.4, 1, size=12)
    exact = stats.paired_permutation(d, draws=9999)  # 2^12 = 4096 patterns
    drawn = stats.paired_permutation(d, draws=4000, seed=1)
    assert exact is not None
    # Four binomial standard errors.
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))
    assert drawn != exact
    assert drawn == stats.paired_permutation(d, draws=4000, seed=1)


def test_random_draws_never_give_zero() -> None:
    # 2000 clusters: more sign patterns than a float can hold, so none may be counted in floats.
    assert (
        stats.paired_permutation(np.ones(4000), [f"c{i % 2000}" for i in range(4000)], draws=999) == 1 / 1000
    )


def test_permutation_holds_its_level() -> None:
    rng = np.random.default_rng(8)
    p = [stats.paired_permutation(rng.normal(size=9), draws=511) for _ in range(400)]
    share = np.mean([value is not None and value <= 0.05 for value in p])
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_permutation_leaves_undefined_differences_out() -> None:
    assert stats.paired_permutation([1.0, np.nan, 2.0, 3.0]) == 2 / 8
    assert stats.paired_permutation([np.nan, np.nan]) is None
    assert stats.paired_permutation([]) is None


def test_no_difference_at_all_is_no_evidence() -> None:
    assert stats.paired_permutation(np.zeros(5)) == 1.0


def test_permutation_refuses_bad_arguments() -> None:
    with pytest.raises(UsageError, match="two-sided, greater or less"):
        stats.paired_permutation([1.0], alternative="both")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        stats.paired_permutation([1.0], draws=0)
    with pytest.raises(BadData):
        stats.paired_permutation([1.0, 2.0], ["a"])


def test_the_signs_of_a_permutation_test_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(2).normal(0.2, 1, size=60)
    p = stats.paired_permutation(differences)
    monkeypatch.setattr(resampling, "CELLS", 100)
    assert stats.paired_permutation(differences) == p


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 = 0.04, 0.06, 0.06, 0.04, made monotone: .04 .06 .06 .06.
    assert stats.holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx((0.06, 0.04, 0.06, 0.06))
    assert stats.holm([0.6, 0.7]) == (1.0, 1.0)


def test_holm_leaves_undefined_tests_out() -> None:
    adjusted = stats.holm([None, 0.01, 0.04, None])
    assert adjusted[0] is None
    assert adjusted[3] is None
    assert adjusted[1:3] == pytest.approx((0.02, 0.04))
    assert stats.holm([]) == ()


# -- tests of means and of two groups


def test_the_test_of_a_mean_is_its_interval_seen_from_0() -> None:
    # p below 5 % exactly where the 95 % interval leaves 0 out, but for the one that is added to the count.
    rng = np.random.default_rng(0)
    agree = 0
    for shift in rng.uniform(0, 0.6, size=60):
        x = rng.normal(shift, 1, size=30)
        low, high = means.mean_ends(x)
        p = mean_test(x)
        assert low is not None
        assert high is not None
        assert p is not None
        agree += (p < 0.05) == (low > 0 or high < 0)
    assert agree >= 57


def test_many_clusters_are_tested_by_students_t() -> None:
    x = np.random.default_rng(1).normal(0.2, 1, size=80)
    expected = scipy_stats.ttest_1samp(x, 0.0)
    assert mean_test(x) == pytest.approx(expected.pvalue)
    assert mean_test(x, alternative="greater") == pytest.approx(expected.pvalue / 2)
    assert mean_test(-x, alternative="less") == pytest.approx(expected.pvalue / 2)


def test_skewed_differences_are_not_rejected_twice_as_often_as_claimed() -> None:
    # 20 exponential clusters around a mean of 0, one-sided: sign flips reject 10 % at 5 %, bootstrap-t 6 %.
    # 400 simulations have standard errors of 1.5 and 1.2 points.
    rng = np.random.default_rng(2)
    draws = [rng.exponential(size=20) - 1 for _ in range(400)]
    asked = means.Asked(draws=399)
    ours = np.mean([(mean_test(d, alternative="less", asked=asked) or 0) <= 0.05 for d in draws])
    flips = np.mean(
        [(stats.paired_permutation(d, draws=399, alternative="less") or 0) <= 0.05 for d in draws]
    )
    assert ours <= 0.09
    assert flips >= ours + 0.02


def test_studentising_sign_flips_changes_nothing() -> None:
    # Σ s² is the same under every flip, so t = S / sqrt((Σ s² - S²/k) k/(k - 1)) rises with S.
    s = np.random.default_rng(3).exponential(size=9) - 0.8
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=9)))
    sums = signs @ s
    t = sums / np.sqrt((np.square(s).sum() - sums**2 / 9) * 9 / 8)
    assert np.mean(t >= t[-1] - 1e-9) == stats.paired_permutation(s, alternative="greater")


def test_without_a_spread_signs_are_flipped() -> None:
    assert mean_test(np.full(6, 0.5)) == 2 / 64
    assert mean_test(np.zeros(6)) == 1.0
    assert mean_test([1.0, 2.0, 3.0]) == 2 / 8
    assert mean_test([np.nan]) is None
    # Two clusters of equal sums flip as wholes: both signs alike in 2 of 4 patterns.
    assert mean_test([1.0, 1.0, 2.0], np.array([0, 0, 1])) == 2 / 4
    with pytest.raises(UsageError):
        mean_test([1.0], alternative="both")  # type: ignore[arg-type]


def test_two_groups_by_enumeration() -> None:
    x, first = np.array([5.0, 6.0, 8.0, 1.0, 2.0, 2.5]), np.arange(6) < 3

    def welch(chosen: tuple[int, ...]) -> float:
        side = np.isin(np.arange(6), chosen)
        a, b = x[side], x[~side]
        return float((a.mean() - b.mean()) / np.sqrt(a.var(ddof=1) / 3 + b.var(ddof=1) / 3))

    all_t = [welch(chosen) for chosen in itertools.combinations(range(6), 3)]
    exact = np.mean(np.array(all_t) >= welch((0, 1, 2)) - 1e-9)  # 1 of 20
    p = two_groups(x, first, alternative="greater", asked=means.Asked(draws=9999))
    assert exact == 0.05
    assert p == pytest.approx(exact, abs=0.01)


def test_two_groups_are_never_more_certain_than_welch() -> None:
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(1.2, 3, size=10), rng.normal(0, 1, size=40)])
    first = np.arange(50) < 10
    welch = scipy_stats.ttest_ind(x[first], x[~first], equal_var=False).pvalue
    assert (two_groups(x, first) or 0) >= welch - 1e-9


def test_clusters_change_sides_whole() -> None:
    # Two clusters a group: four clusters have 6 ways to take sides, so no p-value is below 1/6.
    x, codes = np.arange(20.0), np.repeat(np.arange(4), 5)
    p = two_groups(x, codes < 2, codes, "less", asked=means.Asked(draws=4999))
    assert p is not None
    assert p > 1 / 6 - 0.02
    with pytest.raises(BadData, match="both groups"):
        two_groups(x, np.arange(20) % 2 == 0, codes)
    assert two_groups(x, codes < 1, codes) is None


def test_groups_without_any_difference() -> None:
    assert two_groups(np.ones(8), np.arange(8) < 4) == 1.0
