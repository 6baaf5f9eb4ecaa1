"""Perplexities per word and per byte: ratios of sums, by hand."""

from __future__ import annotations

import math

import pytest

from evenhand.metrics.likelihoods import BYTE_PERPLEXITY as per_byte
from evenhand.metrics.likelihoods import WORD_PERPLEXITY as per_word
from evenhand.records import Score


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
