"""Tables of counts beside scipy's tests, and Cramer's V beside the distribution that its ends invert."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.stats.contingency import association

from evenhand.stats.tables import cramer, cramer_ends, equal_shares, independence


def test_the_chi_square_is_that_of_scipy() -> None:
    table = np.array([[30.0, 20, 10], [10, 25, 15]])
    found = independence(table)
    assert found is not None
    wanted = stats.chi2_contingency(table, correction=False)
    assert found == pytest.approx((wanted.statistic, wanted.pvalue, wanted.dof))


def test_a_chi_square_by_hand() -> None:
    # 60 of 100 and 40 of 100, 50 expected everywhere: 4 times 10² / 50 = 8.
    found = independence(np.array([[60.0, 40], [40, 60]]))
    assert found is not None
    assert found[0] == pytest.approx(8.0)
    assert found[2] == 1


def test_rows_and_columns_without_a_count_are_left_out() -> None:
    table = np.array([[60.0, 0, 40], [0, 0, 0], [40, 0, 60]])
    assert independence(table) == independence(table[np.ix_([0, 2], [0, 2])])
    assert independence(np.array([[5.0, 0], [7, 0]])) is None
    assert independence(np.zeros((2, 2))) is None


def test_equal_shares_are_a_chi_square_where_counts_are_large() -> None:
    won, people = np.array([30.0, 45, 20]), np.array([100.0, 120, 90])
    found = equal_shares(won, people)
    wanted = stats.chi2_contingency(np.stack([won, people - won]), correction=False)
    assert found == pytest.approx((wanted.statistic, wanted.pvalue))
    assert equal_shares(np.append(won, 0.0), np.append(people, 0.0)) == found  # a group of nobody


def test_small_counts_have_the_p_of_random_membership() -> None:
    # 6 of 7 beside 1 of 7, 3.5 expected: the differences at least as large are those of Fisher's exact test.
    won, people = np.array([6.0, 1.0]), np.array([7.0, 7.0])
    found = equal_shares(won, people)
    assert found is not None
    wanted = stats.fisher_exact([[6, 1], [1, 6]]).pvalue
    # Of 1999 draws the share has a standard error of √(p (1 - p) / 1999).
    assert found[1] == pytest.approx(wanted, abs=4 * np.sqrt(wanted * (1 - wanted) / 1999))


@pytest.mark.parametrize("won", [[0.0, 0.0], [5.0, 7.0]])
def test_shares_that_are_all_0_or_1_have_no_test(won: list[float]) -> None:
    assert equal_shares(np.array(won), np.array([5.0, 7.0])) is None
    assert equal_shares(np.array([1.0]), np.array([5.0])) is None


def test_cramers_v_is_that_of_scipy() -> None:
    table = np.array([[30, 20, 10], [10, 25, 15]])
    found = independence(table.astype(np.float64))
    assert found is not None
    assert cramer(found[0], 110.0, (2, 3)) == pytest.approx(association(table, method="cramer"))
    # One side tells the other: chi-square is n, V is 1.
    assert cramer(50.0, 50.0, (2, 2)) == pytest.approx(1.0)


def test_the_ends_of_v_are_those_at_which_the_statistic_is_a_tail() -> None:
    # Non-centrality n V²: at the lower end 2.5 % of statistics are as large, at the upper one as small.
    low, high = cramer_ends(12.0, 200.0, (2, 3), 2)
    assert stats.ncx2.sf(12.0, 2, 200 * low**2) == pytest.approx(0.025, abs=1e-6)
    assert stats.ncx2.cdf(12.0, 2, 200 * high**2) == pytest.approx(0.025, abs=1e-6)
    assert cramer_ends(12.0, 200.0, (2, 3), 2, level=0.90)[1] < high


def test_what_is_not_rejected_may_be_no_association() -> None:
    assert stats.chi2.sf(3.0, 2) > 0.025
    assert cramer_ends(3.0, 200.0, (2, 3), 2)[0] == 0.0


def test_a_few_rows_that_happen_to_agree_do_not_exclude_an_association() -> None:
    # Below its mean under independence (2, the freedom) a chi-square counts as that.
    low, high = cramer_ends(0.0, 200.0, (2, 3), 2)
    assert low == 0.0
    assert stats.ncx2.cdf(2.0, 2, 200 * high**2) == pytest.approx(0.025, abs=1e-6)
