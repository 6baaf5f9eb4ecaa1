"""Perplexity: one ratio, every token counts alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evenhand.metrics import columns
from evenhand.metrics.perplexity import component, perplexity
from evenhand.records import Score


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


def test_a_perplexity_beyond_float_range_is_undefined() -> None:
    assert component.value([Score("a", "c", {"nll": 1000.0, "tokens": 1.0})]) is None
