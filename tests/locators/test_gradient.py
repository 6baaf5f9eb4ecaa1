"""Gradient attribution beside finite differences of the model itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadModel
from evenhand.hooks import patch
from evenhand.locators import _probing
from evenhand.locators._probing import contributions, normalised_gap
from evenhand.locators.gradient import Gradient
from evenhand.models import OpenModel
from evenhand.opening import open_model
from evenhand.records import Attribution
from evenhand.scoring.terms import outcomes
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny


def _double(kind: str) -> OpenModel:
    model = tiny(kind)
    model.module.double()
    return model


def _gap_with(model: OpenModel, site: str, mean: Tensor, share: float) -> float:
    """The gap when, of what the block says beyond its mean, `share` is taken out where terms are predicted.

    One prompt at a time: the last token of each is where its term is predicted.
    """

    def shrunk(output: Tensor, given: Tensor) -> Tensor:
        changed = output.clone()
        own = (output - given)[:, -1] - mean
        changed[:, -1] = output[:, -1] - share * own
        return changed

    with torch.no_grad(), patch(model, site, shrunk):
        p = torch.cat([outcomes(model, [example]).log_p.exp() for example in examples()])
    return float(normalised_gap(p))


# Llama's norms compute in float32, where a smaller step drowns in rounding; OPT's ReLUs bend at a larger one.
@pytest.mark.parametrize(("kind", "step"), [("llama", 1e-3), ("gpt2", 1e-4), ("opt", 1e-4)])
def test_it_is_the_derivative_of_the_gap_by_finite_differences(kind: str, step: float) -> None:
    """score_i = -d/dt gap(block i's own say times 1 - t) at t = 0, from both sides."""
    model = _double(kind)
    found = Gradient().locate(model, examples(), seed=0)
    mean = contributions(model, examples()).mean
    for score in found.scores:
        ends = [_gap_with(model, score.site, mean[score.site], t) for t in (step, -step)]
        assert score.value == pytest.approx(-(ends[0] - ends[1]) / (2 * step), rel=1e-3, abs=1e-6)


def _located(model: OpenModel) -> Attribution:
    return Gradient().locate(model, examples(), seed=0)


def test_a_block_that_says_the_same_on_every_prompt_scores_0() -> None:
    model = tiny("llama")
    with patch(model, "block.1", lambda output, given: given + torch.linspace(-3, 3, 32)):
        found = _located(model)
    assert found.scores[1].value == pytest.approx(0.0, abs=1e-6)
    assert max(abs(s.value) for s in found.scores) > 1e-4


def test_prompts_count_alike_in_batches_of_unlike_size(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _located(tiny("llama"))  # sixteen prompts in one batch
    cut = _probing.batches
    monkeypatch.setattr(_probing, "batches", lambda probes: cut(probes, 5))  # 5, 5, 5 and 1
    parts = _located(tiny("llama"))
    assert [s.value for s in parts.scores] == pytest.approx([s.value for s in whole.scores], rel=1e-4)


def test_it_leaves_no_gradient_and_no_mode_behind() -> None:
    model = tiny("llama")
    model.module.train()
    _located(model)
    assert model.module.training
    assert all(p.grad is None and p.requires_grad for p in model.module.parameters())


def test_the_outcome_can_be_chosen() -> None:
    model = tiny("llama")
    doubled = Gradient().locate(model, examples(), lambda p: 2 * normalised_gap(p), seed=0)
    plain = _located(model)
    assert [s.value for s in doubled.scores] == pytest.approx([2 * s.value for s in plain.scores], rel=1e-5)
    assert doubled.details["outcome"] == pytest.approx(2 * plain.details["outcome"])
    assert plain.specific


def test_a_model_without_weights_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"context": "The nurse smiled because", "text": " he", "logprob": -1.0}\n')
    with pytest.raises(BadModel, match="lacks gradients, hidden, weights"):
        _located(open_model(f"recorded:{file}"))  # type: ignore[arg-type]
