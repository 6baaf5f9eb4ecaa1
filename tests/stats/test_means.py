"""Bootstrap-t and Student's t against enumeration, scipy and properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evenhand.stats import means
from evenhand.stats.means import Asked, linear_ends, mean_ends, studentised, t_ends, unseen
from evenhand.stats.ratios import mean_of, ratio_of_sums


def test_above_fifty_clusters_it_is_students_t() -> None:
    x = np.random.default_rng(0).normal(size=60)
    expected = scipy_stats.t.interval(0.95, 59, x.mean(), x.std(ddof=1) / np.sqrt(60))
    assert mean_ends(x) == pytest.approx(expected)


def test_three_clusters_are_too_few_to_resample() -> None:
    # Mean 2, error 1/sqrt(3), t_2 = 4.30265: 2 ± 2.4841.
    assert mean_ends([1.0, 2.0, 3.0]) == pytest.approx((-0.48414, 4.48414), abs=1e-5)


def test_departures_are_those_of_all_resamples() -> None:
    # All 5^5 resamples of five values, one by one, against the quantiles of the random ones.
    x = np.array([0.0, 1.0, 2.0, 4.0, 9.0])
    all_t = []
    for picks in itertools.product(range(5), repeat=5):
        y = x[list(picks)]
        error = y.std(ddof=1) / np.sqrt(5)
        all_t.append((y.mean() - x.mean()) / error if error > 0 else np.sign(y.mean() - x.mean()) * np.inf)
    found = mean_of(x)
    assert found
    drawn = studentised(found, Asked(draws=40_000))
    assert drawn is not None
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        near = np.quantile(all_t, [share - 0.01, share + 0.01], method="nearest")
        assert near[0] <= np.quantile(drawn, share) <= near[1]


def test_the_long_side_is_the_side_of_the_tail() -> None:
    x = np.random.default_rng(3).lognormal(size=30)
    low, high = mean_ends(x)
    assert low is not None
    assert high is not None
    assert high - x.mean() > 1.5 * (x.mean() - low)


def test_moving_and_stretching_the_data_moves_and_stretches_the_ends() -> None:
    x = np.random.default_rng(4).exponential(size=20)
    low, high = mean_ends(x)
    assert low is not None
    assert high is not None
    assert mean_ends(10 + 3 * x) == pytest.approx((10 + 3 * low, 10 + 3 * high))
    # Mirrored data have mirrored ends: the resamples are the same.
    mirrored = mean_ends(-x)
    assert mirrored == pytest.approx((-high, -low), rel=0.02)


def test_the_same_seed_gives_the_same_ends_in_any_order_of_items() -> None:
    rng = np.random.default_rng(5)
    x, codes = rng.normal(size=60), np.repeat(np.arange(12), 5)
    order = rng.permutation(60)
    assert mean_ends(x, codes) == pytest.approx(mean_ends(x[order], codes[order]))
    assert mean_ends(x, codes) != mean_ends(x, codes, asked=Asked(seed=1))


def test_the_size_of_the_blocks_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(6).exponential(size=12)
    whole = mean_ends(x)
    monkeypatch.setattr(means, "CELLS", 100)
    assert mean_ends(x) == whole


def test_a_weighted_mean_is_that_of_repeated_items() -> None:
    codes = np.array([0, 1, 2, 3, 4])
    x, w = np.array([1.0, 5.0, 2.0, 8.0, 3.0]), np.array([1, 2, 1, 3, 1])
    repeated = mean_ends(np.repeat(x, w), np.repeat(codes, w))
    assert mean_ends(x, codes, w) == pytest.approx(repeated)


def test_where_nothing_varies_the_unseen_is_bounded() -> None:
    # Ten clusters at 0.2 in 0 to 1: q = 1 - 0.025^(1/10) = 0.30850; 0.2 - 0.2 q and 0.2 + 0.8 q.
    assert mean_ends(np.full(10, 0.2), limits=(0.0, 1.0)) == pytest.approx((0.13830, 0.44680), abs=1e-5)
    assert unseen(0.2, 10, (0.0, None), 0.95) == (None, None)
    assert mean_ends(np.full(10, 0.2)) == (None, None)


def test_ends_stay_within_the_limits() -> None:
    low, high = mean_ends([0.0, 0.0, 0.1, 0.9], limits=(0.0, 1.0))
    assert low == 0.0
    assert high is not None
    assert high <= 1.0


def test_almost_equal_clusters_fall_back_on_t() -> None:
    # One of 20 clusters departs: 36 % of resamples miss it and have no spread to divide by.
    x = np.zeros(20)
    x[3] = 1.0
    found = mean_of(x)
    assert found
    assert studentised(found) is None
    low, high = mean_ends(x, limits=(0.0, 1.0))
    assert low == 0.0
    assert high == pytest.approx(0.05 + 2.09302 * 0.05, abs=1e-5)


def test_one_cluster_has_no_interval() -> None:
    assert mean_ends([1.0, 2.0], np.zeros(2, dtype=int)) == (None, None)
    assert mean_ends([]) == (None, None)
    assert linear_ends(1.0, np.empty(0)) == (None, None)
    assert t_ends(1.0, np.array([0.5])) == (None, None)
    assert t_ends(1.0, np.zeros(4)) == (None, None)


def test_a_linear_figure_with_the_influence_of_a_mean_is_the_mean() -> None:
    x = np.random.default_rng(8).normal(size=15)
    assert linear_ends(x.mean(), (x - x.mean()) / 15) == pytest.approx(mean_ends(x))


def test_a_ratio_of_sums_resamples_both_sums() -> None:
    rng = np.random.default_rng(9)
    units = rng.integers(5, 50, size=25).astype(float)
    nll = units * rng.lognormal(1.0, 0.3, size=25)
    found = ratio_of_sums(nll, units)
    assert found
    drawn = studentised(found)
    assert drawn is not None
    picks = np.random.default_rng([0, 25]).integers(25, size=(1999, 25))
    a, b = nll[picks], units[picks]
    r = a.sum(axis=1) / b.sum(axis=1)
    error = np.sqrt(25 / 24 * np.square(a - r[:, None] * b).sum(axis=1)) / b.sum(axis=1)
    np.testing.assert_allclose(drawn, np.sort((r - found.value) / error), rtol=1e-9)


def test_skewed_clusters_are_covered_where_percentiles_are_not() -> None:
    # 10 exponential clusters at nominal 95 %: bootstrap-t 94 %, percentile intervals 86 %; 300 simulations
    # have a standard error of 1.3 points.
    rng = np.random.default_rng(10)
    held = [low <= 1 <= high for low, high in (mean_ends(rng.exponential(size=10)) for _ in range(300))]  # type: ignore[operator]
    assert np.mean(held) >= 0.90
