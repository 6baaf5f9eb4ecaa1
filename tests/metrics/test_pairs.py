"""StereoSet's and CrowS-Pairs' metrics: terms, ties, ICAT, and shares of answers."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics import Array, columns
from evenhand.metrics.pairs import CHOICE_ICAT as choice_icat
from evenhand.metrics.pairs import CHOICE_LMS as choice_lms
from evenhand.metrics.pairs import CHOICE_SS as choice_ss
from evenhand.metrics.pairs import ICAT as icat_over_terms
from evenhand.metrics.pairs import ICAT_MICRO as icat_micro
from evenhand.metrics.pairs import INVALID_RATE as invalid_rate
from evenhand.metrics.pairs import LIKELIHOOD_DIFFERENCE as likelihood_difference
from evenhand.metrics.pairs import LMS as lms
from evenhand.metrics.pairs import LMS_MICRO as lms_micro
from evenhand.metrics.pairs import LOG_RATIO as log_ratio
from evenhand.metrics.pairs import SS as ss
from evenhand.metrics.pairs import SS_MICRO as ss_micro
from evenhand.metrics.pairs import STEREOTYPE_PREFERENCE as stereotype_preference
from evenhand.metrics.pairs import TIES as ties
from evenhand.metrics.pairs import icat, mean_over_terms
from evenhand.records import Score
from evenhand.testing import MetricCase

CHOICES = ("chosen.stereotype", "chosen.anti", "chosen.unrelated", "invalid")


def made(n: int, seed: int) -> dict[str, Array]:
    """Preferences between sentences; terms have unlike numbers of items, as target terms have."""
    rng = np.random.default_rng([seed, 1])
    return {
        "preferred": rng.choice([0.0, 0.5, 1.0], size=n),
        "related": rng.choice([0.0, 0.5, 1.0], p=[0.1, 0.2, 0.7], size=n),
        "tie": rng.integers(2, size=n).astype(float),
        "log_ratio": rng.normal(size=n),
        "term": np.floor(np.sqrt(np.arange(n))),
    }


def chosen(n: int, seed: int) -> dict[str, Array]:
    """Answers to questions with options: shares of six orders."""
    shares = np.random.default_rng([seed, 2]).multinomial(6, [0.4, 0.3, 0.2, 0.1], size=n) / 6
    return dict(zip(CHOICES, shares.T, strict=True))


def row(*shares: float) -> dict[str, float]:
    """The shares of stereotypes, anti-stereotypes and, where they count, unrelated choices."""
    return dict(zip(CHOICES, shares, strict=False))


CASES = (
    MetricCase("stereotype_preference", made, [{"preferred": 0.0}], [{"preferred": 1.0}]),
    MetricCase("ties", made, [{"tie": 0.0}], [{"tie": 1.0}]),
    MetricCase("log_ratio", made),
    MetricCase("likelihood_difference", made, [{"log_ratio": 0.0}]),
    MetricCase("lms", made, [{"related": 0.0, "term": 0.0}], [{"related": 1.0, "term": 0.0}], whole="term"),
    MetricCase("lms_micro", made, [{"related": 0.0}], [{"related": 1.0}]),
    MetricCase(
        "ss", made, [{"preferred": 0.0, "term": 0.0}], [{"preferred": 1.0, "term": 0.0}], whole="term"
    ),
    MetricCase("ss_micro", made, [{"preferred": 0.0}], [{"preferred": 1.0}]),
    MetricCase(
        "icat",
        made,
        [{"related": 1.0, "preferred": 0.0, "term": 0.0}],
        [{"related": 1.0, "preferred": p, "term": p} for p in (0.0, 1.0)],
        whole="term",
    ),
    MetricCase(
        "icat_micro",
        made,
        [{"related": 1.0, "preferred": 1.0}],
        [{"related": 1.0, "preferred": 0.5}],
    ),
    MetricCase("choice_lms", chosen, [row(0.0, 0.0, 0.5)], [row(0.5, 0.0, 0.0)]),
    MetricCase("choice_ss", chosen, [row(0.0, 0.5)], [row(0.5, 0.0)]),
    MetricCase("choice_icat", chosen, [row(0.0, 0.5, 0.0)], [row(0.5, 0.5, 0.0)]),
    MetricCase("invalid_rate", chosen, [{"invalid": 0.0}], [{"invalid": 1.0}]),
)


def scores(**values: list[float | None]) -> list[Score]:
    rows = zip(*values.values(), strict=True)
    return [Score(str(i), "c", dict(zip(values, row, strict=True))) for i, row in enumerate(rows)]


def test_terms_count_alike() -> None:
    x, term = np.array([1.0, 1.0, 0.0, np.nan]), np.array([0.0, 0.0, 1.0, 1.0])
    # Term 0 has 1, term 1 has 0 (its undefined item is left out).
    assert mean_over_terms(x, term, np.ones((1, 4))) == pytest.approx([0.5])
    # Term 0 drawn twice and term 1 once: (1 + 1 + 0) / 3; term 0 not drawn: 0; nothing drawn: undefined.
    weights = np.array([[2.0, 2, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]])
    np.testing.assert_allclose(mean_over_terms(x, term, weights), [2 / 3, 0.0, np.nan])
    np.testing.assert_allclose(mean_over_terms(x * np.nan, term, weights[:1]), [np.nan])


def test_terms_against_items() -> None:
    table = scores(preferred=[1.0, 1.0, 1.0, 0.0], related=[1.0, 1.0, 0.5, 0.0], term=[0.0, 0.0, 0.0, 1.0])
    assert (ss.value(table), ss_micro.value(table)) == pytest.approx((50.0, 75.0))
    # Related: terms (2.5 / 3, 0), items 2.5 / 4.
    assert (lms.value(table), lms_micro.value(table)) == pytest.approx((100 * 2.5 / 6, 62.5))
    assert icat_over_terms.value(table) == pytest.approx(100 * 2.5 / 6)  # SS is 50
    assert icat_micro.value(table) == pytest.approx(62.5 * 25 / 50)


def test_icat_by_hand() -> None:
    found = icat(np.array([80.0, 80.0, 100.0, np.nan]), np.array([60.0, 40.0, 100.0, 50.0]))
    np.testing.assert_allclose(found, [64.0, 64.0, 0.0, np.nan])


def test_an_item_without_a_term_is_left_out() -> None:
    table = scores(preferred=[1.0, 0.0], term=[0.0, None])
    assert ss.value(table) == 100.0
    assert ss.items(columns(table)).tolist() == [True, False]


def test_pairs_by_hand() -> None:
    table = scores(
        preferred=[1.0, 0.5, 0.0, None], tie=[0.0, 1.0, 0.0, None], log_ratio=[3.0, 0.0, -1.0, None]
    )
    assert stereotype_preference.value(table) == pytest.approx(50.0)
    assert ties.value(table) == pytest.approx(100 / 3)
    assert log_ratio.value(table) == pytest.approx(2 / 3)
    assert likelihood_difference.value(table) == pytest.approx(4 / 3)


CHOSEN = ("chosen.stereotype", "chosen.anti", "chosen.unrelated", "invalid")


def test_shares_of_answers_by_hand() -> None:
    # Sums: stereotype 1.5, anti 0.5, unrelated 1, invalid 1.
    rows = [(1.0, 0.0, 0.0, 0.0), (0.5, 0.5, 0.0, 0.0), (0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.5, 0.5)]
    table = [Score(str(i), "c", dict(zip(CHOSEN, row, strict=True))) for i, row in enumerate(rows)]
    assert choice_lms.value(table) == pytest.approx(100 * 2 / 3)
    assert choice_ss.value(table) == pytest.approx(75.0)
    assert choice_icat.value(table) == pytest.approx(100 * 2 / 3 * 25 / 50)
    assert invalid_rate.value(table) == pytest.approx(25.0)
    # Two items have a meaningful answer, all four a valid one.
    assert choice_ss.items(columns(table)).tolist() == [True, True, False, False]
    assert choice_lms.items(columns(table)).all()


def test_no_valid_answer_is_undefined() -> None:
    table = [Score("0", "c", dict(zip(CHOSEN, (0.0, 0.0, 0.0, 1.0), strict=True)))]
    assert [m.value(table) for m in (choice_lms, choice_ss, choice_icat)] == [None, None, None]
    assert invalid_rate.value(table) == 100.0
