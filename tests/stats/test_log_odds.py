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
