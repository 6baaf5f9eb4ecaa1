"""Thresholds as a mitigation: fitted on held-out people, equal rates on others, saved, applied, refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from evenhand import registry
from evenhand.errors import BadData, BadModel, BadOption
from evenhand.mitigations.thresholds import GroupThresholds
from evenhand.models import Model
from evenhand.models.recorded import RecordedModel
from evenhand.postprocessing import Thresholds, load_rule
from evenhand.postprocessing.prompts import own_groups
from evenhand.records import Ability, Continuation, PersonExample
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import load
from evenhand.treatments.rule import RuleTreatment, favourable_scores
from tests.support.unfair import decider, deciding

pytest.importorskip("fairlearn", reason="the extra `fairness` is not installed")
PEOPLE = [*deciding(50), *deciding(600, part="dev")]
NEW = deciding(1500, part="dev", seed=5)


def _fit(spec: str = "thresholds", seed: int = 0) -> RuleTreatment:
    made = registry.create("mitigation", spec).fit(decider(), PEOPLE, sites=None, seed=seed)
    assert isinstance(made, RuleTreatment)
    return made


def _selected(model: Model, people: list[PersonExample]) -> dict[str, float]:
    chosen, groups = favourable_scores(model, people) > 0.5, np.array(own_groups(people))
    return {name: float(chosen[groups == name].mean()) for name in ("male", "female")}


def test_the_treated_model_selects_alike_on_people_it_never_saw() -> None:
    model = decider()
    before = _selected(model, NEW)
    with _fit("thresholds:constraint=demographic_parity").applied(model) as treated:
        after = _selected(treated, NEW)
    assert before["male"] - before["female"] > 0.15
    assert abs(after["male"] - after["female"]) < 0.09  # 600 people to fit on, 1500 to test: 2 sd is 0.07


@pytest.mark.parametrize(
    ("constraint", "rates"),
    [
        ("equalized_odds", ("true_positive_rate", "false_positive_rate")),
        ("demographic_parity", ("selection_rate",)),
        ("precision_parity", ("precision",)),
    ],
)
def test_the_details_tell_the_rates_before_and_after(constraint: str, rates: tuple[str, ...]) -> None:
    details = _fit(f"thresholds:constraint={constraint}").about.details
    assert details["fitted_on"] == 600  # the 50 people of the train part are left out
    for rate in rates:
        assert details["after"]["male"][rate] == pytest.approx(details["after"]["female"][rate], abs=1e-9)
        assert details["before"]["male"][rate] != pytest.approx(details["before"]["female"][rate], abs=0.02)
    assert details["before"]["male"]["n"] + details["before"]["female"]["n"] == 600
    assert set(details["rules"]) == {"male", "female"}


def test_the_details_tell_what_is_left_to_chance() -> None:
    treatment = _fit()
    dev = PEOPLE[50:]
    favour = treatment.ruled.rule.expected(favourable_scores(decider(), dev), own_groups(dev))
    told = treatment.about.details["left_to_chance"]
    assert told["people"] == sum(0 < p < 1 for p in favour) / 600
    assert told["decisions"] == pytest.approx(sum(min(p, 1 - p) for p in favour) / 600)
    assert 0 < told["decisions"] <= told["people"] / 2


def test_it_is_saved_loaded_and_applied_alike(tmp_path: Path) -> None:
    treatment, model = _fit("thresholds:constraint=false_positive_rate_parity", seed=4), decider()
    treatment.save(tmp_path / "t")
    again = load(tmp_path / "t")
    assert (again.digest, again.about) == (treatment.digest, treatment.about)
    items = NEW[0].requests()
    with treatment.applied(model) as one, again.applied(model) as two:
        assert one.answer(items) == two.answer(items)
        assert one.spec.digest == two.spec.digest != model.spec.digest
    rule = load_rule(tmp_path / "t" / "rule.json")  # what a program without torch reads
    assert rule == treatment.ruled.rule
    assert isinstance(rule, Thresholds)
    assert rule.seed == 4


def test_damaged_treatments_say_so(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    _fit().save(folder)
    card = json.loads((folder / "mitigation.json").read_text())
    (folder / "mitigation.json").write_text(json.dumps({**card, "digest": "0"}))
    with pytest.raises(BadData, match="does not have the digest"):
        load(folder)
    (folder / "rule.json").write_text("{}")
    with pytest.raises(BadData, match="damaged"):
        load(folder)


def test_it_works_on_recorded_answers(tmp_path: Path) -> None:
    model, people = decider(), deciding(200, part="dev")
    items = list(dict.fromkeys(item for p in people for item in p.requests()))
    lines = [
        json.dumps({"context": item.context, "text": item.text, "logprob": answer.value})
        for item, answer in zip(items, model.answer(items), strict=True)
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(lines), encoding="utf-8")
    recorded = RecordedModel(tmp_path / "answers.jsonl")
    treatment = GroupThresholds().fit(recorded, people, sites=None, seed=0)
    with treatment.applied(recorded) as treated:
        assert len(treated.answer([Continuation(people[0].contexts[1], " yes")])) == 1


def test_a_model_with_weights_must_be_the_one_it_was_fitted_to() -> None:
    with pytest.raises(BadModel, match="fitted to a model with digest"), _fit().applied(tiny("llama")):
        pass


def test_bad_input() -> None:
    with pytest.raises(BadOption, match="constraint=parity"):
        registry.create("mitigation", "thresholds:constraint=parity")
    method, model, asked = GroupThresholds(), decider(), []
    model.rule = lambda item: asked.append(item) or 0.5  # type: ignore[func-returns-value]
    with pytest.raises(BadData, match="None of the 50 people is held out"):
        method.fit(model, deciding(50), sites=None, seed=0)
    hopeless = [dataclasses.replace(p, label=p.label * (1 - p.group)) for p in PEOPLE]
    with pytest.raises(BadData, match=r"one true outcome only .*female: 0 of \d+"):
        method.fit(model, hopeless, sites=None, seed=0)
    alike = [dataclasses.replace(p, contexts=p.contexts[:1] * 2) for p in PEOPLE]
    with pytest.raises(BadData, match="differ in 0 to 0 places"):
        method.fit(model, alike, sites=None, seed=0)
    assert asked == []  # whatever can be known without asking costs no request
    model.can = frozenset({Ability.GENERATE})
    with pytest.raises(BadModel, match="gives no log-probabilities"):
        method.fit(model, PEOPLE, sites=None, seed=0)
