"""How far log-probabilities of narrow weights move with the batch: asked twice, said once."""

from __future__ import annotations

import re

import pytest
import torch

from evenhand.benchmarks.genbiaseval import GenBiasEval
from evenhand.models.causal import CausalModel
from evenhand.records import Ability, Continuation, Generation, LogProb, ModelSpec, Sampling
from evenhand.studies import noise
from evenhand.studies.measure import take
from evenhand.testing import tiny


class Moving:
    """Answers of a bfloat16 model that are `apart` nats lower in batches of fewer requests than the first."""

    can = frozenset({Ability.LOGPROBS, Ability.WEIGHTS})

    def __init__(self, apart: float, dtype: str = "bfloat16") -> None:
        self.apart, self.spec, self.sizes = apart, ModelSpec("m", "d", dtype=dtype), []

    def answer(self, requests):
        self.sizes.append(len(requests))
        return [LogProb(-1.0 - self.apart * (len(requests) < self.sizes[0]), 1) for _ in requests]

    def notes(self):
        return ()


def requests(count):
    return [Continuation(f"number {i} because", " he") for i in range(count)]


def test_at_most_64_requests_are_asked_twice_and_a_model_once():
    model = Moving(0.25)
    (note,) = noise.said(model, "one", requests(1000))
    # 64 together, then each of 8 groups its 8.
    assert model.sizes == [64] + [8] * 8
    # Each answer moves by .25: the root mean square is .25.
    assert "moves by 0.25 nats" in note
    assert "64 requests of one" in note
    assert noise.said(model, "another", requests(3)) == (note,)
    assert len(model.sizes) == 9


def test_the_moves_are_squared():
    class Half(Moving):
        def answer(self, requests):
            found = super().answer(requests)
            return [
                LogProb(-1.0, 1) if "number 0" in r.context else a
                for r, a in zip(requests, found, strict=True)
            ]

    # Of two answers one moves by .5: sqrt((0 + .25) / 2) = .354.
    assert "moves by 0.35 nats" in noise.said(Half(0.5), "one", requests(2))[0]


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (Moving(1.0, "float32"), requests(9)),
        (Moving(1.0), requests(1)),  # alone in both batches
        (Moving(1.0), requests(1) * 5),  # one request, five times
        (Moving(1.0), [Generation(f"write {i}", Sampling(max_tokens=2)) for i in range(3)]),
    ],
)
def test_nothing_is_asked_where_nothing_could_be_said(model, asked):
    assert noise.said(model, "one", asked) == ()
    assert model.sizes == []


def test_a_measurement_of_narrow_weights_says_its_noise():
    benchmark = GenBiasEval()
    wide = take(tiny.model("llama"), benchmark, limit=12)
    assert noise.stated([wide]) == []
    narrow = CausalModel(tiny.module("llama").to(torch.bfloat16), tiny.tokenizer(), "hf:tiny")
    first, again = (take(narrow, benchmark, limit=12) for _ in range(2))
    (note,) = noise.stated([first, again])
    assert note in first.notes
    moved = float(re.search(r"moves by (\S+) nats", note).group(1))
    assert 0 <= moved < 0.1  # bfloat16 keeps 8 bits: a logit near 3 is rounded by up to .008
