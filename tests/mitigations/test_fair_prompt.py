"""The fair prompt as a mitigation: plain text, judged on held-out people, with and without gradients."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from evenhand import registry
from evenhand.errors import BadModel, BadOption
from evenhand.lab import decision_truth
from evenhand.mitigations._adversarial.prompts import score
from evenhand.mitigations._adversarial.search import Aim
from evenhand.mitigations.fair_prompt import FairPrompt
from evenhand.models import Model
from evenhand.opening import open_model
from evenhand.records import Continuation
from evenhand.testing import MitigationCase
from evenhand.testing.examples import people
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import load
from evenhand.treatments.prompt import PromptTreatment

QUICK = {"length": 3, "rounds": 4, "starts": 2, "budget": 20}

CASE = MitigationCase(
    "fair_prompt",
    "fair_prompt:rounds=2,length=3,starts=1",
    no_lab="searching for prompts on a trained model takes minutes; tests/mitigations prove it",
)


def _fit(model: Model, seed: int = 0, **options: object) -> PromptTreatment:
    method = FairPrompt(**{**QUICK, **options})  # type: ignore[arg-type]
    return cast(PromptTreatment, method.fit(model, people(), sites=None, seed=seed))


def _scripted() -> ScriptedModel:
    def rule(item: Continuation) -> float:
        more = 0.02 * len(item.context.split("\n")[0]) % 0.2
        return 0.2 + (0.3 if " he" in item.context else 0.1) + (more if item.text == " left" else 0.0)

    return ScriptedModel(rule)


@pytest.mark.parametrize("search", ["gumbel", "score"])
def test_the_best_text_on_held_out_people_wins(search: str) -> None:
    model = tiny("llama")
    treatment = _fit(model, search=search)
    details = treatment.about.details
    held = [p for p in people() if p.part == "dev"]
    assert details["text"] == treatment.text
    assert details["held_out"]["n"] == len(held) == 4
    assert details["aim"] == pytest.approx(Aim().of(score(model, held, treatment.text)), abs=1e-6)
    assert details["aim_without"] == pytest.approx(Aim().of(score(model, held)), abs=1e-6)
    # The treatment is that text: the treated model's answers are the judged ones.
    with treatment.applied(model) as treated:
        assert score(treated, held).distance == pytest.approx(details["held_out"]["distance"], abs=1e-6)


def test_auto_picks_by_what_the_model_can_do_and_says_so() -> None:
    assert _fit(tiny("llama")).about.details["search"] == "gumbel"
    assert _fit(_scripted()).about.details["search"] == "score"


def test_gradients_are_needed_where_they_are_asked_for() -> None:
    with pytest.raises(BadModel, match="lacks"):
        _fit(_scripted(), search="gumbel")


def test_it_exports_plain_text(tmp_path: Path) -> None:
    treatment = _fit(_scripted())
    treatment.save(tmp_path / "t")
    assert (tmp_path / "t" / "prompt.txt").read_text(encoding="utf-8") == treatment.text
    assert cast(PromptTreatment, load(tmp_path / "t")).text == treatment.text


def test_one_seed_one_text() -> None:
    assert _fit(_scripted(), seed=3).text == _fit(_scripted(), seed=3).text
    model = tiny("gpt2")
    assert _fit(model, seed=3).text == _fit(model, seed=3).text


def test_settings_out_of_range_are_named_at_once() -> None:
    with pytest.raises(BadOption, match=r"length=0.*budget=0.*beta=-1"):
        _fit(_scripted(), length=0, budget=0, beta=-1)


def test_on_the_lab_scores_alone_find_a_calming_word() -> None:
    # Planted: any of four words in front takes three quarters off the lean, which is 2 nats without it.
    model = open_model("lab:decisions")
    benchmark = registry.create("benchmark", "decisions:shots=0,train=30,dev=100")
    treatment = cast(
        PromptTreatment,
        FairPrompt(search="score", length=4, budget=100).fit(
            model, list(benchmark.examples()), sites=None, seed=0
        ),
    )
    assert set(treatment.text.split()) & set(decision_truth.ATTENUATING)
    details = treatment.about.details
    assert details["held_out"]["distance"] < 0.5 * details["held_out_without"]["distance"]
    assert details["held_out"]["accuracy"] >= details["held_out_without"]["accuracy"] - 0.01
