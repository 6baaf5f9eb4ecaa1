"""Ablation beside the same replacement written out by hand, on models that hold the gap in a known place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.hooks import observe, patch
from evenhand.locators._probing import FLOOR, normalised_gap
from evenhand.locators.ablation import Ablation
from evenhand.models import OpenModel
from evenhand.opening import open_model
from evenhand.records import Attribution, Example
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny


def _logits(model: OpenModel, example: Example) -> Tensor:
    ids = model.tokenizer(example.context, return_tensors="pt").input_ids
    return model.module(input_ids=ids).logits[0, -1]


def _group_p(model: OpenModel) -> Tensor:
    """P(he), P(she) of every prompt, run alone, [16, 2]: no batch, no padding, no code of the locator."""
    rows = []
    for example in examples():
        p = _logits(model, example).float().softmax(-1)
        rows.append(torch.stack([p[_token(model, form)] for (form,) in example.terms]))
    return torch.stack(rows)


def _token(model: OpenModel, form: str) -> int:
    (token,) = model.tokenizer(form, add_special_tokens=False).input_ids
    return int(token)


def _contributions(model: OpenModel, site: str) -> Tensor:
    """Output minus input of the block at the last token of every prompt, [16, width]."""
    found: list[Tensor] = []

    def keep(output: Tensor, given: Tensor) -> Tensor:
        found.append((output - given)[0, -1].clone())
        return output

    with patch(model, site, keep):
        for example in examples():
            _logits(model, example)
    return torch.stack(found)


def _gap(p: Tensor) -> float:
    shares = p / p.sum(1, keepdim=True)
    return float((shares.amax(1) - shares.amin(1)).mean())


def _replaced(model: OpenModel, site: str, constant: Tensor) -> float:
    """The gap when the block adds `constant` at the last token, whatever the prompt."""

    def fixed(output: Tensor, given: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, -1] = given[:, -1] + constant
        return changed

    with patch(model, site, fixed):
        return _gap(_group_p(model))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt"])
@pytest.mark.parametrize("replace", ["mean", "zero"])
@torch.no_grad()
def test_it_is_the_fall_of_the_gap_under_the_replacement_by_hand(kind: str, replace: str) -> None:
    model = tiny(kind)
    found = Ablation(replace=replace).locate(model, examples(), seed=0)  # type: ignore[arg-type]
    base = _gap(_group_p(model))
    assert found.details == {"outcome": pytest.approx(base, abs=1e-5), "prompts": 16}
    for score in found.scores:
        added = _contributions(model, score.site)
        constant = added.mean(0) if replace == "mean" else torch.zeros_like(added[0])
        assert score.value == pytest.approx(base - _replaced(model, score.site, constant), abs=2e-5)


def _located(model: OpenModel, outcome: Callable[[Tensor], Tensor] | None = None) -> Attribution:
    return Ablation().locate(model, examples(), outcome, seed=0)


def test_a_block_that_says_the_same_on_every_prompt_loses_nothing() -> None:
    """Mean ablation keeps the constant part of a block's work; leaving it out does not."""
    model = tiny("llama")
    constant = torch.linspace(-3, 3, 32)
    with patch(model, "block.1", lambda output, given: given + constant):
        kept = _located(model)
        gone = Ablation(replace="zero").locate(model, examples(), seed=0)
    assert kept.scores[1].value == pytest.approx(0.0, abs=1e-6)
    assert abs(gone.scores[1].value) > 1e-3


@pytest.mark.parametrize(("site", "idle"), [("block.1", "block.2"), ("block.2", "block.1")])
@torch.no_grad()
def test_the_block_that_makes_the_gap_is_found(site: str, idle: str) -> None:
    """One block writes "he" or "she" far into every state, on about half of the prompts each."""
    model = tiny("llama", gain=20.0)
    head = model.module.get_output_embeddings().weight
    difference = head[_token(model, " he")] - head[_token(model, " she")]
    direction = 30 * difference / difference.norm()
    states: list[Tensor] = []
    with patch(model, idle, lambda output, given: given):
        with observe(model, [site]) as seen:
            for example in examples():
                _logits(model, example)
                states.append(seen[site][0][0, -1])
        middle = torch.stack(states)[:, 0].median()

        def writes(output: Tensor, given: Tensor) -> Tensor:
            return given + torch.where(given[..., :1] > middle, 1.0, -1.0) * direction

        with patch(model, site, writes):
            found = _located(model)
    assert found.details["outcome"] > 0.9
    assert found.top == site
    assert max(s.value for s in found.scores) > 0.1
    assert found.claims
    assert found.specific


def test_the_outcome_can_be_chosen() -> None:
    model = tiny("llama")
    doubled = _located(model, lambda p: 2 * normalised_gap(p))
    plain = _located(model)
    assert [s.value for s in doubled.scores] == pytest.approx([2 * s.value for s in plain.scores])
    assert plain == _located(model, normalised_gap)


def test_without_a_gap_nothing_is_claimed() -> None:
    small = _located(tiny("llama"), lambda p: FLOOR / 2 + 0 * p.sum())
    assert not small.claims
    assert all(s.value == 0 for s in small.scores)
    falling = _located(tiny("llama"), lambda p: 1 - normalised_gap(p))  # above the floor, but it never falls
    assert falling.claims == (max(s.value for s in falling.scores) > 0)


def test_what_it_cannot_work_on_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"context": "The nurse smiled because", "text": " he", "logprob": -1.0}\n')
    with pytest.raises(BadModel, match="lacks hidden, weights, which this locator needs"):
        _located(open_model(f"recorded:{file}"))  # type: ignore[arg-type]
    with pytest.raises(BadData, match="no prompts to locate with"):
        Ablation().locate(tiny("llama"), (), seed=0)
