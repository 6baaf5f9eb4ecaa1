"""Log-odds ratios with a prior: by hand, and without one beside scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats.contingency import odds_ratio

from evenhand.stats.log_odds import log_odds


def test_a_ratio_by_hand() -> None:
    # 30 and 10 of 100 documents each hold the word, 20 % of all. A prior of 10 documents adds 2 with and 8
    # without it: log(32 / 78) - log(12 / 98), of variance 1/32 + 1/78 + 1/12 + 1/98.
    ratio, error = log_odds(np.array([30.0]), np.array([10.0]), np.array([0.2]), (100, 100), prior=10)
    assert ratio[0] == pytest.approx(np.log(32 / 78) - np.log(12 / 98))
    assert error[0] ** 2 == pytest.approx(1 / 32 + 1 / 78 + 1 / 12 + 1 / 98)


def test_without_a_prior_it_is_the_ratio_of_scipy() -> None:
    ratio, error = log_odds(np.array([30.0]), np.array([10.0]), np.array([0.1]), (100, 300), prior=0)
    wanted = odds_ratio([[30, 70], [10, 290]], kind="sample")
    interval = wanted.confidence_interval(0.95)
    assert ratio[0] == pytest.approx(np.log(wanted.statistic))
    ends = np.exp(ratio[0] + np.array([-1, 1]) * 1.959964 * error[0])
    assert ends == pytest.approx([interval.low, interval.high], rel=1e-5)


def test_words_that_stand_alike_have_none_and_exchange_turns_the_sign() -> None:
    a, b, share = np.array([20.0, 40.0]), np.array([20.0, 10.0]), np.array([0.1, 0.125])
    ratio, error = log_odds(a, b, share, (200, 200))
    assert ratio[0] == pytest.approx(0)
    back, same = log_odds(b, a, share, (200, 200))
    assert back == pytest.approx(-ratio)
    assert same == pytest.approx(error)


def test_the_prior_draws_a_ratio_to_0_and_keeps_it_finite() -> None:
    ratios = [
        abs(float(log_odds(np.array([20.0]), np.array([0.0]), np.array([0.05]), (200, 200), prior=p)[0][0]))
        for p in (1, 10, 100)
    ]
    assert np.isfinite(ratios).all()
    assert ratios[0] > ratios[1] > ratios[2] > 0


def test_what_one_group_lacks_is_bounded_however_rare_it_is() -> None:
    # 20 of 10 000 documents and 0 of 10 000: .1 % of all, to which a prior of 10 adds .01. With a half
    # one: log(20.5 / 9989.99) - log(.5 / 10 009.99), of variance 1/20.5 + 1/.5 and little.
    ratio, error = log_odds(np.array([20.0]), np.array([0.0]), np.array([0.001]), (10_000, 10_000))
    assert ratio[0] == pytest.approx(np.log(20.5 / 9989.99) - np.log(0.5 / 10_009.99), abs=1e-6)
    assert error[0] ** 2 == pytest.approx(1 / 20.5 + 2, abs=1e-3)


def test_intervals_of_rare_words_hold_the_ratio() -> None:
    # Shares of .4 % and .2 % of 5000 documents each: 95 % of 4000 draws, known to 2 * sqrt(.95 * .05 / 4000).
    rng = np.random.default_rng(0)
    for first, second, n in ((0.004, 0.002, 5000), (0.004, 0.0004, 5000), (0.999, 0.995, 2000)):
        a, b = rng.binomial(n, first, 4000), rng.binomial(n, second, 4000)
        ratio, error = log_odds(a.astype(float), b.astype(float), (a + b) / (2 * n), (n, n))
        true = np.log(first / (1 - first)) - np.log(second / (1 - second))
        held = np.mean(np.abs(ratio - true) <= 1.959964 * error)
        assert held >= 0.943, (first, second, held)
        assert (ratio + 1.96 * error).max() < 10
