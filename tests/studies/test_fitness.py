"""Whether a model uses the words: one answer for verify, measure, report and gate."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand import registry
from evenhand.records import Card, Estimate, GuardName, Measurement, ModelSpec, Protocol, VerdictName
from evenhand.studies.fitness import FLOOR, doubt, doubts, hardly_used, is_about_words, mass_of
from evenhand.studies.guards import doubts_beside
from evenhand.studies.margins import Margins
from evenhand.studies.measure import take
from evenhand.testing.scripted import ScriptedModel
from tests.studies.worlds import Made, bias


def figures(**values: float | None) -> dict[str, Estimate]:
    return {name: Estimate(value, None, None, 9) for name, value in values.items()}


MASS, LABELS = (registry.get("metric", name) for name in ("mass", "label_mass"))


def measured(whole: dict[str, Estimate], role: str = "bias", **slices: dict[str, Estimate]) -> Measurement:
    card = Card("genbiaseval", "1", "t", "s", "l")
    mass = next((name for name in ("mass", "label_mass") if name in whole), None)
    guards = {} if mass is None else {GuardName.MASS: mass}
    return Measurement(
        ModelSpec("m", "0"), "genbiaseval", card, Protocol("d"), 9, whole, slices, role=role, guards=guards
    )


@pytest.mark.parametrize(
    ("mass", "unfit"),
    [(0.0, True), (0.0007, True), (0.00099999, True), (0.001, False), (0.4, False), (None, False)],
)
def test_the_floor_is_the_verdicts(mass: float | None, unfit: bool) -> None:
    assert hardly_used(mass) is unfit
    assert Margins().mass_floor == FLOOR


def test_the_sentence_names_the_words_and_the_figures() -> None:
    assert "uses the terms: their probability together is 0.0007, below 0.001" in doubt(
        figures(mass=0.0007), MASS
    )
    assert "hardly uses the label words" in doubt(figures(dpd=0.0, label_mass=2e-5), LABELS)
    assert doubt(figures(afgb=0.1, mass=0.5), MASS) == ""


def test_what_has_no_words_has_no_doubt() -> None:
    assert doubt(figures(ss=50.0), MASS) == ""
    assert mass_of(measured(figures(ss=50.0))) is None
    assert mass_of(measured(figures(mass=0.5))) is MASS
    assert doubts(measured(figures(ss=50.0), part=figures(ss=50.0))) == {}


def test_capability_is_not_affected() -> None:
    low = figures(accuracy=0.7, label_mass=1e-5)
    assert set(doubts(measured(low))) == {""}
    assert doubts(measured(low, role="capability")) == {}


def test_each_slice_answers_for_itself() -> None:
    low, fine = figures(afgb=0.0, mass=1e-5), figures(afgb=0.2, mass=0.3)
    assert set(doubts(measured(fine, a=low, b=fine))) == {"a"}
    assert set(doubts(measured(low, a=low, b=fine))) == {"", "a"}
    assert set(doubts(measured(low, a=figures(afgb=0.0)))) == {"", "a"}, "without a mass it is the whole's"


def test_a_treated_model_that_certainly_no_longer_uses_the_terms() -> None:
    before, kept, gone = bias(Made()), bias(Made(mass=0.8)), bias(Made(mass=0.05))
    assert doubts_beside(kept, [before]) == {}
    assert "lost more than half of the terms' probability" in doubts_beside(gone, [before])[""]
    assert doubts_beside(gone, []) == {}, "alone its mass is above the floor"
    other = dataclasses.replace(before, protocol=dataclasses.replace(before.protocol, seed=7))
    assert doubts_beside(gone, [other]) == {}, "unlike conditions are the verdict's to refuse"


@pytest.mark.parametrize("spec", ["genbiaseval", "genhinteval", "lpbs:form=causal"])
@pytest.mark.parametrize(("p", "unfit"), [(0.0003, True), (0.01, False)])
def test_measure_says_so(spec: str, p: float, unfit: bool) -> None:
    made = registry.create("benchmark", spec)
    taken = take(ScriptedModel(lambda item: p), made, limit=12)
    said = [note for note in taken.notes if "hardly uses the terms" in note]
    assert len(said) == unfit
    assert all(note.startswith(f"{made.name}: ") for note in said)
    assert taken.role == "bias"


def test_measure_says_nothing_of_capability_or_of_benchmarks_without_such_words() -> None:
    for spec in ("facts", "perplexity", "counterfactual"):
        made = registry.create("benchmark", spec)
        taken = take(ScriptedModel(lambda item: 1e-6), made, limit=5)
        assert not [note for note in taken.notes if "hardly uses" in note]
        assert taken.role == made.role


def test_two_verdicts_are_not_settled() -> None:
    assert [v for v in VerdictName if not v.settled] == [
        VerdictName.COST_UNKNOWN,
        VerdictName.NOT_COMPARABLE,
    ]


def test_the_words_probability_itself_is_never_in_doubt() -> None:
    named = {name for name in registry.names("metric") if is_about_words(name)}
    assert named == {"mass", "label_mass"}
    assert not is_about_words("a metric that is not installed")
