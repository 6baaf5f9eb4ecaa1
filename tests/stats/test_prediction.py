"""One more draw predicted from others: the line, its error, and how often a new draw is below it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as reference

from evenhand.stats.prediction import predicted


def test_the_line_and_its_prediction_error_are_the_textbook_ones() -> None:
    """x = 1, 2, 3, 4 and y = 2, 4, 5, 8: slope 1.9, at 5 a prediction of 9.5.

    The residuals are .1, .2, -.7 and .4, their sum of squares .7, the variance .7 / 2; the error at 5 is
    sqrt(.35 (1 + 1/4 + 2.5^2 / 5)).
    """
    found = predicted([1, 2, 3, 4], [2, 4, 5, 8], 5)
    assert found is not None
    assert found.value == pytest.approx(9.5)
    assert found.error == pytest.approx((0.35 * (1 + 1 / 4 + 2.5**2 / 5)) ** 0.5)
    assert found.freedom == 2
    below = found.below(2.0)
    assert below == pytest.approx(reference.t.sf(2.0 / found.error, 2))
    assert found.half_width() == pytest.approx(reference.t.ppf(0.975, 2) * found.error)


def test_equal_places_give_the_mean() -> None:
    """Mean 3, standard deviation 1, so an error of sqrt(1 + 1/5) with 4 degrees of freedom."""
    y = [3 - 2**0.5, 3, 3, 3, 3 + 2**0.5]
    found = predicted([7.0] * 5, y, 7.0)
    assert found is not None
    assert (found.value, found.freedom) == (pytest.approx(3.0), 4)
    assert found.error == pytest.approx((1 + 1 / 5) ** 0.5)


def test_too_few_draws_predict_nothing_and_equal_ones_have_no_spread() -> None:
    assert predicted([1, 2, 3], [1, 2, 3], 2) is None
    assert predicted([1, 2, 3, 4], [1, np.nan, 3, 4], 2) is None
    flat = predicted([1, 2, 3, 4], [5, 5, 5, 5], 2)
    assert flat is not None
    assert (flat.below(1.0), flat.half_width(), flat.detectable(0.05)) == (None, None, None)


def test_a_new_draw_of_the_same_kind_is_below_at_the_stated_rate() -> None:
    """2000 draws of their own family: 5 % are below at 5 %, give or take 1.5."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        x = rng.uniform(0, 1, 7)
        y = 2 * x + rng.normal(size=7)
        found = predicted(x[:6], y[:6], float(x[6]))
        assert found is not None
        p = found.below(found.value - y[6])
        hits += p is not None and p <= 0.05
    assert 0.035 <= hits / 2000 <= 0.065


def test_what_can_be_detected_is_detected_in_four_of_five() -> None:
    found = predicted([1, 2, 3, 4, 5, 6], [0.1, -0.2, 0.15, 0.0, -0.1, 0.05], 3.5)
    assert found is not None
    least = found.detectable(0.05)
    assert least is not None
    rng = np.random.default_rng(1)
    shown = [found.below(least + found.error * t) for t in rng.standard_t(found.freedom, 4000)]
    assert np.mean([p is not None and p <= 0.05 for p in shown]) == pytest.approx(0.8, abs=0.02)
