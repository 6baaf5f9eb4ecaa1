"""Measuring again after a change of upper blocks: the same bits, and nothing below runs again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import pytest
import torch

from evenhand.hooks import patch
from evenhand.models import OpenModel
from evenhand.records import Continuation, Generation, Sampling
from evenhand.scoring import passes
from evenhand.testing import tiny
from evenhand.testing.examples import examples
from evenhand.treatments import About
from evenhand.treatments import weights as kind
from evenhand.treatments.weights import WeightTreatment
from tests.support.changes import CHANGES
from tests.support.counting import watched

pytestmark = pytest.mark.filterwarnings("ignore")

ITEMS = [Continuation(e.context, form) for e in examples() for (form,) in e.terms]


def _treatment(model: OpenModel, seed: int, *sites: str) -> WeightTreatment:
    """The sites' weights with some noise."""
    chance = torch.Generator().manual_seed(seed)
    weights = {
        name: p.detach() + 0.05 * torch.randn(p.shape, generator=chance)
        for site in sites
        for name, p in model.layout.parameters(site).items()
    }
    return WeightTreatment(About("noise", model.spec.digest, seed), weights)


def _answers(model: OpenModel, seed: int, *sites: str) -> list[Any]:
    with _treatment(model, seed, *sites).applied(model) as treated:
        return treated.answer(ITEMS)


@contextmanager
def _counted(model: OpenModel) -> Iterator[list[int]]:
    """How often each block computes something inside."""
    calls = [0] * model.layout.n_blocks

    def count(i: int, *_: Any) -> None:
        calls[i] += 1

    with watched([model.layout.modules(f"{site}.attention")[0] for site in model.layout.blocks()], count):
        yield calls


@pytest.mark.parametrize("name", ["gpt2", "llama", "bloom", "falcon", "gptj", "mpt", "gemma2", "gpt_oss"])
def test_every_answer_has_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.model(name)
    model.answer(ITEMS)  # with the tests of the engine's ways
    last = model.layout.blocks()[-1]
    short = [_answers(model, seed, last) for seed in range(4)]
    monkeypatch.setattr(kind, "passes_kept", lambda *_: nullcontext())
    assert short == [_answers(model, seed, last) for seed in range(4)]
    assert len({repr(one) for one in short}) == 4


def test_the_third_model_runs_nothing_below_its_block() -> None:
    model = tiny.model("llama")
    model.answer(ITEMS)
    with _counted(model) as calls:
        found = []
        for seed in range(4):
            _answers(model, seed, "block.1", "block.2")
            found.append(list(calls))
            calls[:] = [0] * 3
    assert found[0] == found[1] == [found[0][0]] * 3  # the first is noted, the second kept
    assert found[2] == found[3] == [0, found[0][1], found[0][2]]


def test_other_weights_below_and_other_prompts_run_whole() -> None:
    model = tiny.model("llama")
    for seed in range(3):
        _answers(model, seed, "block.2")
    first = dict(model.module.named_parameters())["model.layers.0.mlp.up_proj.weight"]
    with torch.no_grad():
        first.mul_(1.5)
    with _counted(model) as calls:
        _answers(model, 3, "block.2")
    assert calls[0] > 0
    with _counted(model) as calls:
        _answers(model, 3, "block.0", "block.2")
    assert calls[0] > 0
    with _counted(model) as calls, _treatment(model, 0, "block.2").applied(model) as treated:
        treated.answer(ITEMS[:3])
    assert calls[0] > 0


@pytest.mark.parametrize("change", ["inside", "exchanged", "one value"])
def test_a_change_below_is_noticed(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a treatment lasts by what torch counts; between two also where it does not count (``.data``)."""
    model = tiny.model("llama")
    for seed in range(3):
        _answers(model, seed, "block.2")
    lower = model.module.get_parameter("model.layers.0.mlp.up_proj.weight")
    if change == "exchanged":
        lower.data[[0, 1]] = lower.data[[1, 0]].clone()
    if change == "one value":
        lower.data[1, 2] += 1.0
    with _treatment(model, 3, "block.2").applied(model) as treated:
        if change == "inside":
            treated.answer(ITEMS)
            with torch.no_grad():
                lower.mul_(1.5)
        found = treated.answer(ITEMS)
    monkeypatch.setattr(kind, "passes_kept", lambda *_: nullcontext())
    assert found == _answers(model, 3, "block.2")


def test_hooks_below_gradients_and_generation_run_whole() -> None:
    model = tiny.model("llama")
    plain = [_answers(model, 0, "block.2") for _ in range(3)][-1]
    with _treatment(model, 0, "block.2").applied(model) as treated:
        with patch(model, "block.0", lambda output, given: given):
            assert treated.answer(ITEMS) != plain, "the hook counts"
        assert treated.answer(ITEMS) == plain
        with torch.enable_grad(), _counted(model) as calls:
            model.module(input_ids=torch.tensor([[1, 2, 3]]))
            model.module(input_ids=torch.tensor([[1, 2, 3]]))
            model.module(input_ids=torch.tensor([[1, 2, 3]]))
        assert calls == [3, 3, 3]
        asked = [Generation("The nurse", Sampling(max_tokens=4))]
        assert treated.answer(asked) == treated.answer(asked) == treated.answer(asked)


def test_the_model_is_left_as_it_was_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "DISK", 0)
    model = tiny.model("llama")
    for seed in range(3):
        _answers(model, seed, "block.2")
    with _counted(model) as calls:
        _answers(model, 3, "block.2")
    assert calls[0] == calls[2] > 0
    assert "forward" not in vars(model.module)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_beside_the_weights_is_noticed(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.model("llama")
    plain = [_answers(model, 3, "block.2") for _ in range(3)][-1]
    CHANGES[change](model.module)
    found = _answers(model, 3, "block.2")
    monkeypatch.setattr(kind, "passes_kept", lambda *_: nullcontext())
    assert found == _answers(model, 3, "block.2") != plain


def test_a_forward_that_is_replaced_inside_counts() -> None:
    model = tiny.model("llama")
    plain = [_answers(model, 0, "block.2") for _ in range(3)][-1]
    with _treatment(model, 0, "block.2").applied(model) as treated:
        CHANGES["own forward"](model.module)
        assert treated.answer(ITEMS) != plain
        del model.module.model.layers[0].mlp.forward
        assert treated.answer(ITEMS) == plain


@torch.no_grad()
def test_passes_with_dropout_or_in_another_precision_are_not_kept() -> None:
    model = tiny.model("gpt2", resid_pdrop=0.5)
    ids = torch.tensor([[5, 6, 7, 8]])
    with _treatment(model, 0, "block.2").applied(model):
        plain = model.module(input_ids=ids, use_cache=True).logits
        model.module.train()
        drawn = [model.module(input_ids=ids, use_cache=False).logits for _ in range(4)]
        assert len({repr(logits.tolist()) for logits in drawn}) == 4
        model.module.eval()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for _ in range(3):
                model.module(input_ids=ids, use_cache=False)
        assert torch.equal(model.module(input_ids=ids, use_cache=False).logits, plain)


@torch.no_grad()
@pytest.mark.parametrize("by", ["argument", "configuration"])
def test_who_asks_for_every_attention_gets_it(by: str) -> None:
    model = tiny.model("llama")
    model.module.set_attn_implementation("eager")
    model.module.config.output_attentions = by == "configuration"
    asked = {"output_attentions": True} if by == "argument" else {}
    ids = torch.tensor([[5, 6, 7, 8]])
    for seed in range(4):
        with _treatment(model, seed, "block.2").applied(model):
            assert len(model.module(input_ids=ids, use_cache=False, **asked).attentions) == 3


@torch.no_grad()
@pytest.mark.parametrize("by", ["argument", "configuration"])
def test_who_asks_for_every_hidden_state_gets_it(by: str) -> None:
    model = tiny.model("llama")
    model.module.config.output_hidden_states = by == "configuration"
    asked = {"output_hidden_states": True} if by == "argument" else {}
    ids = torch.tensor([[5, 6, 7, 8]])
    for seed in range(4):
        with _treatment(model, seed, "block.2").applied(model):
            states = model.module(input_ids=ids, use_cache=False, **asked).hidden_states
        assert all(not torch.equal(a, b) for a, b in pairwise(states))
