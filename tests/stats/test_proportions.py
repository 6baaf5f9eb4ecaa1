"""Intervals of shares against published tables, hand-worked clusters, and properties."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.stats.proportions import (
    clopper_pearson,
    clusters_holding,
    effective_size,
    korn_graubard,
    newcombe,
    wilson,
)
from evenhand.stats.ratios import mean_of
from tests.stats.test_ratios import ANSWERS, CODES


@pytest.mark.parametrize(
    ("successes", "n", "exact", "score"),
    [  # Newcombe 1998, Statistics in Medicine 17, 857-872, table I: the exact and Wilson's method
        (81, 263, (0.2527, 0.3676), (0.2553, 0.3662)),
        (15, 148, (0.0578, 0.1617), (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1684), (0.0, 0.1611)),
        (1, 29, (0.0009, 0.1776), (0.0061, 0.1718)),
    ],
)
def test_single_shares_as_published(
    successes: int, n: int, exact: tuple[float, float], score: tuple[float, float]
) -> None:
    assert clopper_pearson(successes, n) == pytest.approx(exact, abs=5e-5)
    low, high = wilson(successes / n, n)
    assert (float(low), float(high)) == pytest.approx(score, abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [  # Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_two_shares_as_published(
    first: tuple[int, int], second: tuple[int, int], expected: tuple[float, float]
) -> None:
    found = newcombe((first[0] / first[1], second[0] / second[1]), (first[1], second[1]))
    assert found == pytest.approx(expected, abs=5e-5)


def test_nothing_of_six_is_up_to_46_percent() -> None:
    # 1 - 0.025^(1/6) = 1 - 0.54074.
    assert korn_graubard(np.zeros(6)) == pytest.approx((0.0, 0.45926), abs=1e-5)
    assert korn_graubard(np.ones(6)) == pytest.approx((0.54074, 1.0), abs=1e-5)


def test_a_clustered_share_by_hand() -> None:
    # p(1 - p) = 143/576, v = 0.0225694 (test_ratios): 24 · 0.248264 / (23 · 0.0225694) = 11.478; times
    # (t_23 / t_5)² = (2.06866 / 2.57058)² = 0.64762: 7.4334. Beta quantiles at 7.4334 · 11/24 = 3.4070.
    found = mean_of(ANSWERS, CODES)
    assert found
    assert effective_size(found, scaled=False) == pytest.approx(11.4783, abs=1e-4)
    assert effective_size(found) == pytest.approx(7.4334, abs=1e-4)
    assert korn_graubard(ANSWERS, CODES) == pytest.approx(clopper_pearson(3.40699, 7.43345), abs=1e-5)


def test_items_that_are_their_own_clusters_count_in_full() -> None:
    x = np.array([1.0] * 7 + [0.0] * 13)
    assert korn_graubard(x) == pytest.approx(clopper_pearson(7, 20))


def test_too_few_clusters_with_the_rarer_answer_bound_the_size() -> None:
    # Two of ten clusters hold the three wrong answers: 50 items are worth at most ten.
    x = np.ones(50)
    x[[0, 1, 5]] = 0.0
    found = mean_of(x, np.repeat(np.arange(10), 5))
    assert found
    assert clusters_holding(found) == 2
    assert effective_size(found) <= 10
    # Seen from the other side it is the same.
    other = mean_of(1 - x, np.repeat(np.arange(10), 5))
    assert other
    assert effective_size(other) == pytest.approx(effective_size(found))


def test_five_clusters_with_the_rarer_answer_are_enough() -> None:
    x = np.zeros(50)
    x[[0, 5, 10, 15, 20]] = 1.0
    found = mean_of(x, np.repeat(np.arange(10), 5))
    assert found
    assert clusters_holding(found) == 5
    assert effective_size(found) > 10


def test_ends_mirror_when_right_and_wrong_change_places() -> None:
    low, high = korn_graubard(ANSWERS, CODES)
    mirrored = korn_graubard(1 - ANSWERS, CODES)
    assert low is not None
    assert high is not None
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_no_interval_of_a_share_has_zero_width_or_leaves_the_range() -> None:
    rng = np.random.default_rng(1)
    for trial in range(200):
        k = int(rng.integers(2, 12))
        x = (rng.random(3 * k) < rng.choice([0.0, 0.02, 0.5, 1.0])).astype(float)
        low, high = korn_graubard(x, np.repeat(np.arange(k), 3))
        assert low is not None, trial
        assert high is not None, trial
        assert 0 <= low <= x.mean() <= high <= 1
        assert high - low > 0.1


def test_one_cluster_tells_nothing_of_others() -> None:
    assert korn_graubard([1.0, 0.0, 1.0], np.zeros(3, dtype=int)) == (None, None)
    assert korn_graubard([]) == (None, None)
    assert clopper_pearson(0, 0) == (None, None)
    assert newcombe((0.5, 0.5), (0, 4)) == (None, None)
