"""The start token in view of the first token alone: against the model's own logits, token by token."""

from __future__ import annotations

import copy

import pytest
import torch

from evenhand.models.causal import CausalModel
from evenhand.records import Continuation
from evenhand.testing import tiny
from tests.support.asking import unanchored

TEXTS = ("The nurse smiled because she was late.", "The carpenter left", "The")


def by_hand(model: CausalModel, text: str) -> tuple[float, int]:
    """ln P(first | start) and ln P(each other one | the ones before it, no start)."""
    ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    tokenizer = model.tokenizer
    start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id

    def log(context: list[int], token: int) -> float:
        with torch.no_grad():
            logits = model.module(input_ids=torch.tensor([context])).logits[0, -1].double()
        return float(logits.log_softmax(-1)[token])

    first = log([start], ids[0])
    return first + sum(log(ids[:i], ids[i]) for i in range(1, len(ids))), len(ids)


@pytest.mark.parametrize(("kind", "bos"), [("gpt2", False), ("llama", False), ("llama", True)])
def test_each_token_by_hand(kind: str, bos: bool) -> None:
    """The mark is the tokenizer's own one, else the one that ends texts."""
    model = tiny.model(kind, bos=bos)
    found = unanchored(model, TEXTS)
    for text, answer in zip(TEXTS, found, strict=True):
        value, n = by_hand(model, text)
        assert answer.n_tokens == n
        assert answer.value == pytest.approx(value, abs=1e-4)


def test_it_differs_from_the_anchored_text_and_not_for_one_token() -> None:
    model = tiny.model("gpt2")
    whole = model.answer([Continuation("", text) for text in TEXTS])
    bare = unanchored(model, TEXTS)
    assert abs(whole[0].value - bare[0].value) > 1e-3
    (one,) = model.tokenizer("The", add_special_tokens=False)["input_ids"]
    assert one
    assert bare[2].value == pytest.approx(whole[2].value, abs=1e-5)


def test_without_a_start_token_nothing_is_left_out() -> None:
    model = tiny.model("gpt2")
    plain = copy.deepcopy(tiny.tokenizer())  # the cached one serves every test
    plain.bos_token = plain.eos_token = None
    bare = CausalModel(model.module, plain, "hf:no-marks")
    texts = TEXTS[:2]
    assert unanchored(bare, texts) == bare.answer([Continuation("", text) for text in texts])
