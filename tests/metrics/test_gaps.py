"""AFGB: the specification's example, the form for k groups."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics.gaps import AFGB as component
from evenhand.metrics.gaps import afgb
from evenhand.records import Score
from evenhand.testing import MetricCase
from tests.support.columns import PRONOUNS, pronouns

PAIRS = ((0.6, 0.2), (0.1, 0.5), (0.3, 0.3))

EVEN = [{"p.he": 0.4, "p.she": 0.4}]
CASES = (
    MetricCase(
        "afgb",
        pronouns,
        low=EVEN,
        high=[{"p.he": 0.0, "p.she": 1.0}, {"p.he": 1.0, "p.she": 0.0}],
        swap=PRONOUNS,
    ),
    MetricCase(
        "afgb_normalised",
        pronouns,
        low=EVEN,
        high=[{"p.he": 0.0, "p.she": 0.2}, {"p.he": 1.0, "p.she": 0.0}],
        swap=PRONOUNS,
    ),
    MetricCase(
        "afgb_range",
        pronouns,
        low=EVEN,
        high=[{"p.he": 0.0, "p.she": 1.0}, {"p.he": 1.0, "p.she": 0.0}],
        swap=PRONOUNS,
    ),
    MetricCase(
        "afgb_signed",
        pronouns,
        low=[{"p.he": 0.0, "p.she": 1.0}],
        high=[{"p.he": 1.0, "p.she": 0.0}],
        swap=PRONOUNS,
        swapped="flips",
    ),
    MetricCase(
        "mass",
        pronouns,
        low=[{"p.he": 0.0, "p.she": 0.0}],
        high=[{"p.he": 0.75, "p.she": 0.25}],
        swap=PRONOUNS,
    ),
    MetricCase("neutral", pronouns, low=[{"neutral": 0.0}], high=[{"neutral": 1.0}], swap=PRONOUNS),
)


def test_the_worked_example() -> None:
    # (0.4 + 0.4 + 0) / 3 = 0.26667
    scores = [Score(f"s{i}", "c", {"p.he": he, "p.she": she}) for i, (he, she) in enumerate(PAIRS)]
    assert component.value(scores) == pytest.approx(0.8 / 3)


def test_three_groups_average_over_pairs() -> None:
    # |.5-.2| + |.5-.1| + |.2-.1| = 0.8 over three pairs.
    np.testing.assert_allclose(afgb(np.array([[0.5, 0.2, 0.1]])), [0.8 / 3])
    # All on one of k groups: k - 1 pairs of k (k-1) / 2 differ by 1, which is 2/k.
    for k in (2, 3, 7):
        np.testing.assert_allclose(afgb(np.eye(k)), np.full(k, 2 / k))


def test_the_published_average_is_weighted_by_samples() -> None:
    # LFTF table 2, Qwen2.5-7B: the three scales of the testing split hold 308, 330 and 306 prompts.
    gaps = np.repeat([0.2820, 0.3532, 0.3549], [308, 330, 306])
    p = np.stack([0.5 + gaps / 2, 0.5 - gaps / 2], axis=1)
    assert afgb(p).mean() == pytest.approx(0.3305, abs=5e-5)


def test_an_undefined_probability_and_a_single_group_are_undefined() -> None:
    np.testing.assert_array_equal(afgb(np.array([[0.5, np.nan], [0.5, 0.25]])), [np.nan, 0.25])
    np.testing.assert_array_equal(afgb(np.array([[0.5]])), [np.nan])


def test_a_model_without_any_mass_scores_zero_as_the_reading_warns() -> None:
    np.testing.assert_array_equal(afgb(np.zeros((1, 2))), [0.0])
    assert "mass" in component.reading
