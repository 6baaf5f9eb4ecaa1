"""Perplexity: one ratio, every token counts alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evenhand import stats
from evenhand.metrics import columns
from evenhand.metrics.likelihoods import PERPLEXITY as component
from evenhand.metrics.likelihoods import perplexity
from evenhand.records import Score
from evenhand.studies.capability import LOG_PERPLEXITY


def test_a_uniform_model_scores_the_size_of_its_vocabulary() -> None:
    tokens = np.array([3.0, 50.0, 7.0])
    assert perplexity(tokens * math.log(512), tokens, np.ones((1, 3)))[0] == pytest.approx(512)


def test_it_is_a_ratio_of_sums() -> None:
    # Texts of 1 and 3 tokens with 4 and 2 nats: exp(6/4), not exp((4 + 2/3)/2).
    got = perplexity(np.array([4.0, 2.0]), np.array([1.0, 3.0]), np.array([[1.0, 1.0], [0.0, 2.0]]))
    np.testing.assert_allclose(got, [math.exp(1.5), math.exp(2 / 3)])


def test_texts_without_a_scored_token_are_left_out() -> None:
    nll, tokens = np.array([6.0, 0.0, np.nan]), np.array([3.0, 0.0, 5.0])
    np.testing.assert_allclose(perplexity(nll, tokens, np.ones((1, 3))), [math.exp(2)])
    scores = [Score("a", "c", {"nll": 6.0, "tokens": 3.0}), Score("b", "c", {"nll": 0.0, "tokens": 0.0})]
    assert component.value(scores) == pytest.approx(math.exp(2))
    assert component.value(scores[1:]) is None
    np.testing.assert_array_equal(component.items(columns(scores)), [True, False])


def test_an_impossible_text_makes_it_infinite_not_smaller() -> None:
    nll, tokens = [6.0, math.inf], [3.0, 2.0]
    got = perplexity(nll, tokens, [[1.0, 1.0], [2.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(got, [math.inf, math.exp(2), np.nan])
    rows = [{"nll": n, "tokens": t} for n, t in zip(nll, tokens, strict=True)]
    scores = [Score(str(i), str(i), row) for i, row in enumerate(rows)]
    assert component.value(scores) is None, "a record holds no infinity, and without the text it is smaller"
    assert component.value(scores[:1]) == pytest.approx(math.exp(2))
    found = stats.estimate(component, scores, B=50)
    assert (found.value, found.low, found.high, found.n, found.undefined) == (None, None, None, 2, 0)


def test_a_text_that_became_impossible_is_no_smaller_change() -> None:
    before = [Score(str(i), str(i), {"nll": 6.0, "tokens": 3.0}) for i in range(8)]
    after = [Score("0", "0", {"nll": math.inf, "tokens": 3.0}), *before[1:]]
    for metric in (component, LOG_PERPLEXITY):
        change = stats.paired_change(metric, before, after, B=50)
        assert (change.value, change.low, change.high, change.n) == (None, None, None, 8)
        assert np.isinf(stats.replicates(metric, after, weights=np.ones((1, 8)))).all()


def test_a_perplexity_beyond_float_range_is_undefined() -> None:
    assert component.value([Score("a", "c", {"nll": 1000.0, "tokens": 1.0})]) is None
