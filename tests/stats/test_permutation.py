"""The sign-flip test against enumeration by hand, and Holm's adjustment."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evenhand import stats
from evenhand.errors import BadData, UsageError
from evenhand.stats import permutation, resampling


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


def test_several_differences_share_the_signs_and_keep_their_own_p_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = np.random.default_rng(0)
    clusters = [f"c{i % 30}" for i in range(90)]
    several = [chance.normal(shift, 1, size=90) for shift in (0.0, 0.2, 0.4)]
    gaps = several[0].copy()
    gaps[[1, 31, 61]] = np.nan  # one cluster without a difference
    apart = [stats.paired_permutation(d, clusters, 5, 999) for d in (*several, gaps)]
    drawn = []
    real = permutation._random_flips
    monkeypatch.setattr(permutation, "_random_flips", lambda *a: drawn.append(a[0]) or real(*a))
    assert stats.paired_permutations([*several, gaps], clusters, 5, 999) == apart
    assert drawn == [30, 29]
    assert stats.paired_permutations([], clusters) == []
