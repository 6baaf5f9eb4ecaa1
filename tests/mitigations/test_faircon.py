"""FairCon as a mitigation: what it says of itself, what it changes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from evenhand import registry
from evenhand.controls.plain_text import PlainText
from evenhand.errors import BadData, BadModel, BadOption
from evenhand.lab import decision_truth
from evenhand.mitigations._adversarial.prompts import score
from evenhand.mitigations._adversarial.search import Course, attack
from evenhand.mitigations.faircon import FairCon
from evenhand.models import OpenModel
from evenhand.models.digests import weights_digest
from evenhand.opening import open_model
from evenhand.records import PersonExample
from evenhand.testing import MitigationCase
from evenhand.testing.examples import people
from evenhand.testing.scripted import ScriptedModel
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import load
from evenhand.treatments.weights import WeightTreatment
from tests.support.families import masked

QUICK = {"rounds": 2, "length": 3, "lr": 5e-3, "batch": 6}

CASE = MitigationCase(
    "faircon",
    "faircon:rounds=2,length=3,lr=5e-3,batch=6",
    no_lab="searching for prompts on a trained model takes minutes; tests/mitigations prove it",
)


def _fit(kind: str = "llama", seed: int = 0, **options: object) -> WeightTreatment:
    method = FairCon(**{**QUICK, **options})  # type: ignore[arg-type]
    return cast(WeightTreatment, method.fit(tiny(kind), people(), sites=None, seed=seed))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom", "gemma"])
def test_only_query_and_value_change(kind: str) -> None:
    treatment = _fit(kind)
    assert {f"{name}.weight" for name in treatment.about.details["projections"]} == set(treatment.weights)


def test_it_tells_the_worst_prompt_as_text_and_how_it_scores() -> None:
    model = tiny("llama")
    treatment = _fit()
    details = treatment.about.details
    worst = details["worst_prompt"]
    assert worst["text"].endswith("\n")
    held = [p for p in people() if p.part == "dev"]
    with treatment.applied(model) as treated:
        again = score(treated, held, worst["text"])
        none = score(treated, held)
    assert worst["as_text"]["distance"] == pytest.approx(again.distance, abs=1e-4)
    assert details["no_prompt"]["gap"] == pytest.approx(none.gap, abs=1e-4)
    if worst["survives"]:
        assert worst["distance"] == pytest.approx(again.distance, abs=1e-4)
    assert len(details["adversaries"]) == 2
    assert details["adversaries"][0]["seed"] != details["adversaries"][1]["seed"]
    assert len(details["dev_accuracy"]) == len(details["dev_distance"]) == 2
    assert details["average_distance"] > 0
    json.dumps(details, allow_nan=False)


def test_saved_it_is_whole_and_has_an_adapter_beside_it(tmp_path: Path) -> None:
    treatment = _fit()
    treatment.save(tmp_path / "t")
    assert load(tmp_path / "t").digest == treatment.digest
    assert {p.name for p in (tmp_path / "t" / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_a_folder_to_resume_in_changes_nothing_but_time(tmp_path: Path) -> None:
    first = _fit(resume=str(tmp_path))
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("faircon-")
    again = _fit(resume=str(tmp_path))
    without = _fit()
    assert first.digest == again.digest == without.digest
    assert first.about == without.about  # where a checkpoint lies is no part of the method
    _fit(resume=str(tmp_path), seed=1)
    assert len(list(tmp_path.iterdir())) == 2  # another fit, another checkpoint


def test_plain_text_beside_it_has_its_recipe() -> None:
    treatment = _fit()
    beside = PlainText().beside(treatment, 4.0)
    assert (beside.dose, beside.lr, beside.epochs, beside.batch) == (4.0, 5e-3, 2, 6)  # those of QUICK
    assert set(beside.parameters(tiny("llama"), treatment, seed=0)) == set(treatment.weights)


def test_lam_zero_has_no_adversary() -> None:
    details = _fit(lam=0.0).about.details
    assert "worst_prompt" not in details
    assert details["attacked"] == [[], []]
    assert "task loss" in details["rule"]


def test_three_groups_and_every_distance() -> None:
    model = tiny("llama")
    for distance in ("log_odds", "jensen_shannon", "vocabulary"):
        method = FairCon(distance=distance, rounds=1, length=2)  # type: ignore[arg-type]
        treatment = method.fit(model, people(k=3), sites=None, seed=0)
        assert treatment.about.proof["max_logprob_change"] > 0


def test_all_settings_out_of_range_are_named_at_once() -> None:
    with pytest.raises(BadOption, match=r"rounds=0.*rank=0.*lam=-1.*dropout=1"):
        _fit(rounds=0, rank=0, lam=-1, dropout=1)


def test_what_it_cannot_work_on_is_refused() -> None:
    held = [p for p in people() if p.part == "dev"]
    with pytest.raises(BadData, match="There are no people to decide on"):
        FairCon().fit(tiny("llama"), held, sites=None, seed=0)
    with pytest.raises(BadModel, match="lacks"):
        FairCon().fit(ScriptedModel(lambda item: 0.5), people(), sites=None, seed=0)
    with pytest.raises(BadModel, match="is a masked model"):
        FairCon().fit(masked("bert"), people(), sites=None, seed=0)
    with pytest.raises(BadData, match="prefix of 60"):
        _fit(length=60)


def test_the_spec_says_what_differs_from_the_defaults() -> None:
    made = registry.create("mitigation", "faircon:lam=10,average=ema,resume=runs/x")
    assert (made.lam, made.average, made.resume) == (10.0, "ema", "runs/x")
    assert registry.spec_of("faircon", made) == "faircon:average=ema,lam=10.0"
    assert made.fits_on == (PersonExample,)


def test_the_model_is_untouched_by_a_fit_that_fails() -> None:
    model = tiny("llama")
    before = weights_digest(model.module)
    kinds = [type(m) for m in model.module.modules()]
    with pytest.raises(BadModel, match="loss became"):
        FairCon(**{**QUICK, "lr": 1e20}).fit(model, people(), sites=None, seed=0)  # type: ignore[arg-type]
    assert weights_digest(model.module) == before
    assert [type(m) for m in model.module.modules()] == kinds


@pytest.mark.slow
def test_on_the_lab_the_worst_unseen_prompt_loses_its_hold() -> None:
    """One seed of perf/faircon.py: lam = 1 beside lam = 0, attacked by adversaries unknown in training."""
    model = cast(OpenModel, open_model("lab:decisions"))
    every = list(registry.create("benchmark", "decisions:shots=0,train=800,dev=300").examples())
    held = [p for p in every if p.part == "dev"]
    train = [p for p in every if p.part == "train" and (p.group == 0) == (p.label == 1)][:150]
    train += [p for p in every if p.part == "train" and (p.group == 0) != (p.label == 1)][:50]  # parity 0.5
    found = {}
    for lam in (0.0, 1.0):
        treatment = FairCon(lam=lam).fit(model, [*train, *held[:100]], sites=None, seed=0)
        with treatment.applied(model) as treated:
            texts = attack(cast(OpenModel, treated), held[:100], course=Course(20, 32, 2), seed=10_000)
            texts += [f"{word}\n" for word in decision_truth.AMPLIFYING]
            judged = [score(treated, held[100:], text) for text in ("", *texts)]
        found[lam] = max(one.gap for one in judged), judged[0].accuracy
    assert found[0.0][0] > 0.25  # measured 0.31 to 0.39 over five seeds
    assert found[1.0][0] < 0.3 * found[0.0][0]
    assert found[1.0][1] > found[0.0][1] - 0.02
