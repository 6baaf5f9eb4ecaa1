"""Next-word distributions after fixed contexts: one by one, in any order, and the figures made of them."""

from __future__ import annotations

import math

import pytest
import torch

from evenhand.scoring.distributions import (
    distributions,
    divergence,
    entropies,
    first_tokens,
    in_blocks,
    temperature,
    vocabulary,
    without,
)
from evenhand.testing import tiny

CONTEXTS = ["The nurse smiled", "The nurse", "The nurse smiled because", "A cook left", "The nurse"]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "bloom", "mamba"])
def test_each_context_has_the_models_own_distribution(architecture: str) -> None:
    """Against one plain forward pass a context: equal within 1e-4, whatever shares a beginning."""
    model = tiny.model(architecture)
    found = distributions(model, CONTEXTS)
    assert found.shape == (5, vocabulary(model))
    for row, context in zip(found, CONTEXTS, strict=True):
        ids = torch.tensor([model.tokenizer(context)["input_ids"]])
        with torch.no_grad():
            plain = model.module(input_ids=ids).logits[0, -1].float().log_softmax(-1)
        assert torch.allclose(row, plain, atol=1e-4)
    assert torch.equal(found[1], found[4])


def test_blocks_cover_every_context_once() -> None:
    model = tiny.model("llama")
    places = [place for found, _ in in_blocks(model, CONTEXTS) for place in found]
    assert sorted(places) == [0, 1, 2, 3, 4]
    assert list(in_blocks(model, [])) == []


def test_the_divergence_by_hand() -> None:
    """KL of (1/2, 1/2) to (1/4, 3/4) is ln 2 / 2 + ln(2/3) / 2 = .1438; of a distribution to itself 0."""
    p, q = (torch.tensor([row]).log() for row in ([0.5, 0.5], [0.25, 0.75]))
    assert float(divergence(p, q)) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    assert float(divergence(p, p)) == 0.0
    gone = torch.tensor([[1.0, 0.0]]).log()
    assert math.isfinite(float(divergence(p, gone)))


def test_the_rest_without_some_words() -> None:
    """(.5, .3, .2) without the first is (.6, .4)."""
    left = without(torch.tensor([[0.5, 0.3, 0.2]]).log(), [0])
    assert left.exp()[0].tolist() == pytest.approx([0.0, 0.6, 0.4])


def test_the_entropy_by_hand() -> None:
    even = torch.full((1, 4), 0.25).log()
    assert float(entropies(even)) == pytest.approx(math.log(4))
    assert float(entropies(torch.tensor([[1.0, 0.0]]).log())) == 0.0


@pytest.mark.parametrize("T", [0.5, 1.0, 1.3, 3.0])
def test_the_temperature_of_a_flatter_head_is_found(T: float) -> None:
    """Logits divided by 1.3 have to be divided by 1 / 1.3 to be the base's again."""
    logits = torch.randn(50, 30, generator=torch.Generator().manual_seed(0))
    before, after = logits.log_softmax(-1), (logits / T).log_softmax(-1)
    assert temperature(before, after) == pytest.approx(1 / T, rel=1e-3)


def test_the_words_that_begin_the_terms() -> None:
    model = tiny.model("llama")
    context = "The nurse smiled because"
    start = len(model.tokenizer(context)["input_ids"])
    own = {model.tokenizer(f"{context}{word}")["input_ids"][start] for word in (" he", " she")}
    assert set(first_tokens(model, context, [" he", " she"])) == own
