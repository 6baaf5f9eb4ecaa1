"""Next-token distributions compared: by hand, and equal to one prompt a forward pass."""

from __future__ import annotations

import math

import pytest
import torch

from evenhand.errors import BadModel
from evenhand.records import ContextPair
from evenhand.scoring.runners.divergence import compare, divergences
from evenhand.testing import tiny
from tests.support.asking import weights

PAIRS = [
    ContextPair("The nurse smiled because he", "The nurse smiled because she"),
    ContextPair("The carpenter", "The carpenter sat down slowly because he was"),
    ContextPair("The nurse smiled because he", "The nurse smiled because he"),
    ContextPair("The doctor opened", "The teacher opened"),
]


def logs(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def test_by_hand() -> None:
    p = logs([0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.6, 0.3, 0.1])
    q = logs([0.5, 0.5, 0.0], [0.0, 0.6, 0.4], [0.4, 0.5, 0.1])
    equal, apart, near = compare(p, q)
    assert (equal.bits, equal.agree) == (0, None)  # two tokens are equally likely
    assert (apart.bits, apart.agree) == (pytest.approx(1), False)
    # Halves of 0.6 log2(0.6/0.5) + 0.3 log2(0.3/0.4) and of 0.4 log2(0.4/0.5) + 0.5 log2(0.5/0.4).
    expected = (
        0.6 * math.log2(1.2) + 0.3 * math.log2(0.75) + 0.4 * math.log2(0.8) + 0.5 * math.log2(1.25)
    ) / 2
    assert near.bits == pytest.approx(expected)
    assert near.agree is False


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gemma", "mamba"])
@pytest.mark.parametrize("budget", [1, 64])
def test_batches_change_nothing(kind, budget) -> None:
    module, tokenizer = tiny.module(kind), tiny.tokenizer()
    found = divergences(weights(module, tokenizer, batch_tokens=budget), [*PAIRS, PAIRS[0]])

    def alone(text: str) -> torch.Tensor:
        with torch.no_grad():
            return module(torch.tensor([tokenizer(text)["input_ids"]])).logits[:, -1].double().log_softmax(-1)

    expected = [compare(alone(p.context), alone(p.other))[0] for p in PAIRS]
    for one, two in zip(found, [*expected, expected[0]], strict=True):
        assert one.bits == pytest.approx(two.bits, abs=1e-5)
        assert one.agree == two.agree
    assert found[2].bits == pytest.approx(0, abs=1e-9)
    assert found[1].bits > 0.01


def test_the_model_offers_it() -> None:
    model = tiny.model("gpt2")
    assert model.answer(PAIRS) == divergences(model, PAIRS)


def test_nan_is_an_error() -> None:
    module = tiny.module("gpt2", seed=5)
    with torch.no_grad():
        module.lm_head.weight.fill_(math.nan)
    with pytest.raises(BadModel, match="NaN"):
        divergences(weights(module, tiny.tokenizer()), PAIRS)
