"""Ratios of sums over clusters, against figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.stats.ratios import mean_of, ratio_of_sums

# Right answers of six clusters of four: 3, 2, 0, 1, 4, 1.
ANSWERS = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0], dtype=float)
CODES = np.repeat(np.arange(6), 4)


def test_the_error_of_a_clustered_share_by_hand() -> None:
    # p = 11/24; departures 3 - 4p ... = 7/6, 1/6, -11/6, -5/6, 13/6, -5/6, squares (49 + 1 + 121 + 25 + 169 +
    # 25)/36 = 390/36; variance 6/5 · 390/36 / 24² = 0.0225694.
    found = mean_of(ANSWERS, CODES)
    assert found
    assert found.value == pytest.approx(11 / 24)
    assert found.error**2 == pytest.approx(6 / 5 * 390 / 36 / 576)
    assert (found.clusters, found.n) == (6, 24)
    np.testing.assert_allclose(found.influence * 24, np.array([7, 1, -11, -5, 13, -5]) / 6)


def test_a_perplexitys_logarithm_is_a_ratio_of_sums() -> None:
    # (10 + 30) / (5 + 20) = 1.6; influences (10 - 8)/25 and (30 - 32)/25.
    found = ratio_of_sums([10.0, 30.0], [5.0, 20.0])
    assert found
    assert found.value == 1.6
    np.testing.assert_allclose(found.influence, [0.08, -0.08])
    np.testing.assert_allclose(found.part, [0.2, 0.8])


def test_independent_items_have_the_usual_error() -> None:
    x = np.random.default_rng(0).normal(size=30)
    found = mean_of(x)
    assert found
    assert found.error == pytest.approx(x.std(ddof=1) / np.sqrt(30))


def test_undefined_items_are_left_out_and_their_clusters_with_them() -> None:
    found = mean_of([1.0, np.nan, 3.0, np.nan], np.array([4, 4, 7, 9]))
    assert found
    assert (found.value, found.n, found.clusters) == (2.0, 2, 2)
    np.testing.assert_array_equal(found.names, [4, 7])
    assert mean_of([np.nan, np.nan]) is None
    assert mean_of([]) is None
    assert ratio_of_sums([1.0], [0.0]) is None


def test_equal_values_leave_no_rounding_behind() -> None:
    found = mean_of(np.full(7, 0.1), weights=np.arange(1.0, 8.0))
    assert found
    assert found.error == 0.0
