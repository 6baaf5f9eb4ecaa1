"""LFTF, full fine-tuning and the instruction on masked and sequence-to-sequence models."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from evenhand import registry
from evenhand.errors import BadModel
from evenhand.mitigations import refuse
from evenhand.models import OpenModel
from evenhand.records import PersonExample
from evenhand.scoring.terms import outcomes
from evenhand.testing.examples import people
from evenhand.testing.laboratory import Untouched, change, genbiaseval, opened
from evenhand.testing.mitigations import last_block
from evenhand.treatments import load
from tests.scoring.test_asking import FILLING, SHORT, WRITING, prompts
from tests.scoring.test_asking import opened as tiny

LABS = ("lab:masked", "lab:seq2seq")
TRAINING = (
    "lftf",
    "lftf:loss=mass_preserving",
    pytest.param("lftf:loss=symmetric_kl", marks=pytest.mark.slow),
    "full_finetune",
)


def _made(spec: str) -> Any:
    return registry.create("mitigation", spec)


@pytest.mark.parametrize(
    "spec", ["lftf:lr=0.01,loss=mass_preserving", "full_finetune:lr=0.01", "prompt:text=it is late."]
)
@pytest.mark.parametrize("kind", [*FILLING, *WRITING])
def test_it_is_fitted_applied_saved_and_taken_off(kind: str, spec: str, tmp_path: Any) -> None:
    model = tiny(kind)
    before, sites = Untouched.seen(model), last_block(model)
    treatment = _made(spec).fit(model, SHORT, sites=sites, seed=0)
    before.check("after a fit")
    if spec.startswith("lftf"):
        last = f"block.{model.layout.n_blocks - 1}"
        assert treatment.touches == set(model.layout.parameters(last))
    treatment.save(tmp_path / "saved")
    said = [request for e in SHORT for request in e.requests()]
    with treatment.applied(model) as one:
        here = [a.value for a in one.answer(said)]
    with load(tmp_path / "saved").applied(model) as one:
        assert [a.value for a in one.answer(said)] == here
    assert [a.value for a in model.answer(said)] != here
    before.check("after a treatment was taken off")


def test_training_outcomes_are_the_treated_models_answers() -> None:
    """What a loss reads after training is what the scorer then says of the treated model, to 1e-5."""
    few = genbiaseval()[1][:24]
    for uri in LABS:
        model = opened(uri)
        treatment = _made("lftf:epochs=1").fit(model, few, sites=last_block(model), seed=0)
        with treatment.applied(model) as treated, torch.no_grad():
            found = outcomes(treated, few).log_p  # type: ignore[arg-type]
            said = torch.tensor([[a.value for a in treated.answer(e.requests())] for e in few])
        assert float((found - said).abs().max()) < 1e-5


@pytest.mark.parametrize("spec", TRAINING)
@pytest.mark.parametrize("uri", LABS)
def test_the_planted_gap_shrinks_beyond_its_interval(uri: str, spec: str) -> None:
    model, (benchmark, training) = opened(uri), genbiaseval()
    treatment = _made(spec).fit(model, training[::3], sites=last_block(model), seed=0)
    (gap,) = change(treatment, model, benchmark, "afgb_normalised")
    assert gap.high is not None
    assert gap.high < 0


@pytest.mark.parametrize("spec", ["lftf", "lftf:loss=symmetric_kl"])
@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_the_sham_trains_the_same_parameters(kind: str, spec: str) -> None:
    model = tiny(kind)
    method = dataclasses.replace(_made(spec), lr=0.01)
    real, one, other = (
        made.fit(model, SHORT, sites=last_block(model), seed=0)
        for made in (method, method.sham(seed=1), method.sham(seed=2))
    )
    assert real.touches == one.touches == other.touches
    assert len({real.digest, one.digest, other.digest}) == 3


@pytest.mark.parametrize("spec", ["lftf", "full_finetune"])
def test_terms_that_a_masked_model_cannot_compare_are_refused_before_any_work(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny("bert")
    monkeypatch.setattr(type(model), "answer", lambda *_: pytest.fail("the model was asked"))
    with pytest.raises(BadModel, match="1 and 2 tokens") as refused:
        refuse(_made(spec), model, prompts((" he",), (" carpenter",)))
    assert "equally many tokens" in refused.value.mend


@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_a_searched_prefix_is_for_causal_models(kind: str) -> None:
    model = tiny(kind)
    given: list[PersonExample] = people(labels=(" late", " left"))
    for spec in ("fair_prompt:search=gumbel", "faircon"):
        with pytest.raises(BadModel, match=r"is a (masked|seq2seq) model, and a prefix is searched"):
            refuse(_made(spec), model, given)


def _rate(model: OpenModel, spec: str) -> float:
    return float(_made(spec).fit(model, SHORT, sites=last_block(model), seed=0).about.details["lr"])


@pytest.mark.parametrize("name", ["lftf", "full_finetune"])
def test_the_papers_rate_is_the_same_at_any_width(name: str) -> None:
    """None scales it: 1e-5 * 3584 / 32 = .00112 at a width of 32."""
    model = tiny("bert")
    assert _rate(model, f"{name}:lr=paper") == 1e-5
    assert _rate(model, name) == pytest.approx(0.00112)
    assert _rate(model, f"{name}:lr=2e-3") == 2e-3
    assert registry.spec_of(name, _made(f"{name}:lr=paper")) == f"{name}:lr=paper"
