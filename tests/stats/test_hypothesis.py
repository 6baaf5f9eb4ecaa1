"""Tests of means and of two groups against enumeration, scipy and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evenhand import stats
from evenhand.errors import BadData, UsageError
from evenhand.stats import means
from evenhand.stats.hypothesis import mean_test, two_groups


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
