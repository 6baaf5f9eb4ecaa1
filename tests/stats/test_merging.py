"""Merged capitals and e-BH, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.stats import merging


def test_average_product_and_their_mixture() -> None:
    """Capitals 2, 4 and 1/2: mean 13/6, product 4, half of each 37/12."""
    logs = np.log([2, 4, 0.5])
    assert np.exp(merging.average(logs)) == pytest.approx(13 / 6)
    assert np.exp(merging.product(logs)) == pytest.approx(4)
    assert np.exp(merging.mixture(logs)) == pytest.approx(37 / 12)
    assert np.exp(merging.mixture(np.log([7.0]))) == pytest.approx(7)


def test_huge_capitals_do_not_overflow() -> None:
    assert float(merging.average([2000.0, 2000.0])) == 2000.0
    assert float(merging.mixture([2000.0, 2000.0])) == pytest.approx(4000 - np.log(2))


@pytest.mark.parametrize(
    ("e", "rejected"),
    [  # K = 4, alpha = .05: the largest needs 80, two need 40, three 26.7, four 20
        ((79, 1, 1, 1), (False, False, False, False)),
        ((80.1, 1, 1, 1), (True, False, False, False)),
        ((41, 1, 42, 1), (True, False, True, False)),
        ((39, 41, 1, 1), (False, False, False, False)),
        ((27, 27, 1, 27), (True, True, False, True)),
        ((21, 21, 21, 21), (True, True, True, True)),
    ],
)
def test_e_bh(e: tuple[float, ...], rejected: tuple[bool, ...]) -> None:
    assert merging.e_bh(np.log(e), 0.05).tolist() == list(rejected)


def test_any_rejection_means_a_mean_capital_of_at_least_one_over_alpha() -> None:
    """What makes e-BH hold at all looks together where every hypothesis is true."""
    logs = np.random.default_rng(0).exponential(2.0, (5000, 6))
    any_of_them = merging.e_bh(logs, 0.05).any(-1)
    assert 0 < any_of_them.sum() < 5000
    assert (np.exp(logs).mean(-1)[any_of_them] >= 20 - 1e-9).all()


def test_more_than_two_groups() -> None:
    assert merging.all_pairs(3).tolist() == [[0, 1], [0, 2], [1, 2]]
    assert merging.all_pairs(1).tolist() == []
    assert merging.opposed([5, 6, 7], merging.all_pairs(3)).tolist() == [[5, 6], [5, 7], [6, 7]]
    assert merging.against_rest([5, 6, 7]).tolist() == [[5, 13], [6, 12], [7, 11]]
