"""Percentile intervals, and equivalence by them."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand import stats
from evenhand.errors import UsageError


def test_interval_is_the_percentiles() -> None:
    # 0..1000: the 2.5th percentile is 25, the 97.5th 975; order and a NaN do not matter.
    values = np.append(np.random.default_rng(0).permutation(1001), np.nan)
    assert stats.interval(values, 0.95) == pytest.approx((25.0, 975.0))
    assert stats.interval(values, 0.90) == pytest.approx((50.0, 950.0))


def test_interval_refuses_more_than_one_undefined_resample_in_twenty() -> None:
    values = np.arange(100.0)
    values[:5] = np.nan
    assert stats.interval(values)[0] is not None
    values[5] = np.inf
    assert stats.interval(values) == (None, None)
    assert stats.interval([]) == (None, None)
    assert stats.interval([np.nan]) == (None, None)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_interval_refuses_an_impossible_level(level: float) -> None:
    with pytest.raises(UsageError, match="not between 0 and 1"):
        stats.interval([1.0, 2.0], level)


def test_tost_uses_the_ninety_percent_interval() -> None:
    # Values 0..1000 scaled to ±1: the 90 % interval is ±0.9, the 95 % one ±0.95.
    values = np.linspace(-1, 1, 1001)
    assert stats.tost(values, 0.91)
    assert not stats.tost(values, 0.89)
    assert not stats.tost(values, 0.91, alpha=0.025)
    assert not stats.tost(values + 0.1, 0.91)
    assert not stats.tost(values - 0.1, 0.91)


def test_tost_shows_nothing_without_values() -> None:
    assert stats.tost([np.nan], 1.0) is False
    with pytest.raises(UsageError, match="not positive"):
        stats.tost([0.0], 0.0)
