"""Calibration as a mitigation: honest probabilities on people it never saw, and what it tells of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import BadData, BadOption
from evenhand.mitigations.calibration import GroupCalibration
from evenhand.models import Model
from evenhand.opening import open_model
from evenhand.postprocessing import Calibration
from evenhand.postprocessing.calibration import INCOMPATIBLE, errors_by_group
from evenhand.postprocessing.prompts import favourable, own_groups
from evenhand.records import PersonExample
from evenhand.testing.examples import people
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import load
from evenhand.treatments.rule import RuleTreatment, favourable_scores
from tests.support.server import serving
from tests.support.unfair import LEAN, decider, deciding

PEOPLE = [*deciding(50), *deciding(800, part="dev")]
NEW = deciding(2000, part="dev", seed=5)


def _fit(method: GroupCalibration | None = None, seed: int = 0) -> RuleTreatment:
    made = (method or GroupCalibration()).fit(decider(), PEOPLE, sites=None, seed=seed)
    assert isinstance(made, RuleTreatment)
    return made


def _errors(model: Model, people: list[PersonExample]) -> dict[str, float]:
    told = errors_by_group(favourable_scores(model, people), favourable(people), own_groups(people))
    return {name: group["error"] for name, group in told.items()}


def test_probabilities_are_honest_on_people_it_never_saw() -> None:
    model = decider()
    before = _errors(model, NEW)
    with _fit().applied(model) as treated:
        after = _errors(treated, NEW)
    for name in ("male", "female"):
        assert before[name] > 0.1
        assert after[name] < 0.5 * before[name]


def test_the_curves_undo_what_the_model_adds() -> None:
    # The model's log-odds are the true ones plus the lean for men and minus it for women.
    rule = _fit(GroupCalibration(method="platt", shrink=0.0)).ruled.rule
    assert isinstance(rule, Calibration)
    for name, curve in zip(rule.groups, rule.curves, strict=True):
        assert curve.slope == pytest.approx(1, abs=0.25)
        assert curve.intercept == pytest.approx(-LEAN if name == "male" else LEAN, abs=0.4)


def test_the_details_tell_curves_weights_and_cross_fitted_errors() -> None:
    details = _fit().about.details
    assert details["fitted_on"] == 800
    for name, curve in details["curves"].items():
        n = details["before"][name]["n"]
        assert curve["weight"] == pytest.approx(n / (n + 20))
        assert curve["method"] == "platt"
        assert details["after_cross_fitted"][name]["error"] < 0.6 * details["before"][name]["error"]
    assert details["remark"] == INCOMPATIBLE


def test_it_repeats_and_survives_saving(tmp_path: Path) -> None:
    first, again = _fit(seed=2), _fit(seed=2)
    assert first == again
    first.save(tmp_path / "t")
    assert load(tmp_path / "t") == first


def test_on_an_endpoint_it_is_what_it_is_on_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path))
    model = tiny("llama")
    method, asked = GroupCalibration(method="platt"), people()[0].requests()
    own = method.fit(model, people(), sites=None, seed=0)
    with serving(model) as state:
        endpoint = open_model(f"openai:{state.url}?api=completions#tiny")
        remote = method.fit(endpoint, people(), sites=None, seed=0)
        with own.applied(model) as one, remote.applied(endpoint) as two:
            pairs = zip(one.answer(asked), two.answer(asked), strict=True)
            assert all(a.value == pytest.approx(b.value, abs=1e-3) for a, b in pairs)


def test_bad_input() -> None:
    with pytest.raises(BadData, match="held out"):
        GroupCalibration().fit(decider(), deciding(50), sites=None, seed=0)
    with pytest.raises(BadOption, match="Isotonic curves need 1000 people a group"):
        _fit(GroupCalibration(method="isotonic"))
    with pytest.raises(BadOption, match="shrink=-1"):
        _fit(GroupCalibration(shrink=-1.0))
