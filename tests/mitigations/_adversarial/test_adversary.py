"""The adversary pulls twins apart where it can, and gets nothing out of a model that is blind to them."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from evenhand.mitigations._adversarial.adversary import (
    Adversary,
    PrefixSettings,
    batches,
    embedding_rows,
    one_hot,
    stream,
    survives,
    writable,
    written,
)
from evenhand.mitigations._adversarial.distances import Distance
from evenhand.mitigations._adversarial.panel import JOINT, Panel
from evenhand.models.causal import CausalModel
from evenhand.testing.examples import people
from evenhand.testing.tiny import model as tiny

SETTINGS = PrefixSettings(length=3, lr=0.3)


def _adversary(model: CausalModel, seed: int = 0) -> Adversary:
    return Adversary(writable(model.tokenizer, embedding_rows(model.module)), SETTINGS, seed=seed)


def _blind(kind: str) -> CausalModel:
    """A model whose embedding of " she" is that of " he": no twin differs for it."""
    model = tiny(kind)
    he, she = (model.tokenizer(word, add_special_tokens=False)["input_ids"] for word in (" he", " she"))
    assert len(he) == len(she) == 1
    with torch.no_grad():
        table = model.module.get_input_embeddings().weight  # type: ignore[operator,union-attr]
        table[she[0]] = table[he[0]]
    return model


def _objective(panel: Panel, kind: Distance) -> object:
    def value(prefix: Tensor, chosen: list[int]) -> Tensor:
        return panel.answers(chosen, prefix, vocabulary=True).apart(kind)

    return value


@pytest.mark.parametrize("kind", get_args(Distance))
def test_a_blind_model_gives_no_distance_and_no_gradient(kind: Distance) -> None:
    for model, blind in ((tiny("llama"), False), (_blind("llama"), True)):
        panel = Panel(model, people(), length=3)
        adversary = _adversary(model)
        answers = panel.answers(range(16), adversary.draw(stream(0, "x")), vocabulary=True)
        (gradient,) = torch.autograd.grad(answers.apart(kind), [adversary.logits])
        size = float(gradient.abs().max())
        if blind:
            assert answers.apart(kind).item() == pytest.approx(0.0, abs=1e-6)
            assert size < 1e-7
        else:
            assert answers.apart(kind).item() > 1e-3
            assert size > 1e-5


def test_attacking_raises_the_distance() -> None:
    model = tiny("gpt2")
    panel = Panel(model, people(), length=3)
    adversary = _adversary(model)

    def hard(adversary: Adversary) -> float:
        rows = one_hot(adversary.ids(), embedding_rows(model.module))
        return float(panel.everyone(rows).apart("log_odds"))

    chance = [hard(_adversary(model, seed)) for seed in range(1, 9)]
    for number in range(20):
        order = batches(len(panel), 16, stream(0, number))
        adversary.step(_objective(panel, "log_odds"), order, stream(0, "draw", number))  # type: ignore[arg-type]
    assert hard(adversary) > 1.5 * sum(chance) / 8


def test_only_writable_tokens_are_used() -> None:
    model = tiny("llama", bos=True)
    allowed = writable(model.tokenizer, embedding_rows(model.module))
    texts = [model.tokenizer.decode([i]) for i in allowed.nonzero().flatten().tolist()]
    assert all(text.strip() and text.isprintable() and "\ufffd" not in text for text in texts)
    assert not allowed[model.tokenizer.all_special_ids].any()
    assert 50 < int(allowed.sum()) < len(allowed)
    adversary = _adversary(model)
    drawn = adversary.draw(stream(0, "draws")).argmax(-1).tolist()
    assert all(allowed[i] for i in [*drawn, *adversary.ids()])


def test_rows_beyond_the_tokenizer_are_not_used() -> None:
    model = tiny("llama", vocab_size=500)
    assert len(model.tokenizer) < 500
    assert not writable(model.tokenizer, 500)[len(model.tokenizer) :].any()


def test_a_prefix_as_text_may_be_cut_otherwise() -> None:
    tokenizer = tiny("llama").tokenizer
    whole = tokenizer(" she was", add_special_tokens=False)["input_ids"]
    assert survives(tokenizer, whole)
    assert written(tokenizer, whole) == " she was" + JOINT
    letters = [tokenizer.convert_tokens_to_ids(c) for c in "because"]
    assert written(tokenizer, letters) == "because" + JOINT
    assert not survives(tokenizer, letters)  # read again, it is fewer and longer pieces


def test_a_state_goes_on_in_the_same_bits() -> None:
    model = tiny("gpt2")
    panel = Panel(model, people(), length=3)
    straight, broken = _adversary(model), _adversary(model)

    def turn(adversary: Adversary, number: int) -> None:
        order = batches(len(panel), 8, stream(1, number))
        adversary.step(_objective(panel, "log_odds"), order, stream(1, "draw", number))  # type: ignore[arg-type]

    turn(straight, 0)
    turn(broken, 0)
    again = _adversary(model, seed=5)
    again.restore(broken.state())
    turn(straight, 1)
    turn(again, 1)
    assert straight.logits.equal(again.logits)
    assert not straight.logits.equal(broken.logits)


def test_streams_are_apart_and_batches_cover_everybody() -> None:
    assert torch.rand(3, generator=stream(0, "a")).equal(torch.rand(3, generator=stream(0, "a")))
    assert not torch.rand(3, generator=stream(0, "a")).equal(torch.rand(3, generator=stream(0, "b")))
    made = list(batches(10, 4, stream(0, "order")))
    assert [len(part) for part in made] == [4, 4, 2]
    assert sorted(i for part in made for i in part) == list(range(10))
