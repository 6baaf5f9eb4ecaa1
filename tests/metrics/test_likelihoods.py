"""Perplexities per word and per byte: ratios of sums, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evenhand.metrics import Array
from evenhand.metrics.likelihoods import BYTE_PERPLEXITY as per_byte
from evenhand.metrics.likelihoods import WORD_PERPLEXITY as per_word
from evenhand.records import Score
from evenhand.testing import MetricCase


def made(n: int, seed: int) -> dict[str, Array]:
    """Likelihoods of texts of unlike lengths."""
    rng = np.random.default_rng([seed, 6])
    return {
        "nll": rng.exponential(20, size=n),
        "tokens": rng.integers(1, 12, size=n).astype(float),
        "words": rng.integers(1, 12, size=n).astype(float),
        "bytes": rng.integers(5, 60, size=n).astype(float),
    }


CASES = (
    MetricCase("perplexity", made, low=[{"nll": 0.0, "tokens": 4.0}]),
    MetricCase("word_perplexity", made, low=[{"nll": 0.0, "words": 2.0}]),
    MetricCase("byte_perplexity", made, low=[{"nll": 0.0, "bytes": 9.0}]),
)


def scores(*rows: tuple[float | None, float, float]) -> list[Score]:
    return [
        Score(f"s{i}", "c", {"nll": nll, "words": words, "bytes": size})
        for i, (nll, words, size) in enumerate(rows)
    ]


def test_by_hand() -> None:
    # Texts of 4 and 6 nats in 2 and 3 words, 8 and 12 bytes: exp(10 / 5) and exp(10 / 20).
    rows = scores((4.0, 2.0, 8.0), (6.0, 3.0, 12.0))
    assert per_word.value(rows) == pytest.approx(math.exp(2))
    assert per_byte.value(rows) == pytest.approx(math.exp(0.5))


def test_one_word_each_is_the_exp_of_the_mean() -> None:
    # The harness's perplexity of LAMBADA: exp(-mean log P of the last word).
    assert per_word.value(scores((1.0, 1.0, 4.0), (2.0, 1.0, 5.0))) == pytest.approx(math.exp(1.5))


def test_texts_without_words_or_likelihood_are_left_out() -> None:
    rows = scores((4.0, 2.0, 8.0), (None, 3.0, 12.0), (7.0, 0.0, 3.0))
    assert per_word.value(rows) == pytest.approx(math.exp(2))
    assert per_word.value(rows[1:]) is None
