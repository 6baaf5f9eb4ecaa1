"""Definitional: words of both genders in the same frames."""

from __future__ import annotations

from collections import Counter

from evenhand.benchmarks.definitional import Definitional
from evenhand.testing import BenchmarkCase
from evenhand.testing.scripted import ScriptedModel, figures

CASE = BenchmarkCase(
    "definitional", {"right": {"accuracy": 1}, "wrong": {"accuracy": 0}, "uniform": {"accuracy": None}}
)


def test_sentences_in_full() -> None:
    benchmark = Definitional()
    asked = {
        s.id: ([(r.context, r.text) for r in benchmark.ask(s)], s.fields["answer"]) for s in benchmark.load()
    }
    assert asked["definitional/king/coat"] == ([("The king put on", " his"), ("The king put on", " her")], 0)
    said = "My mother said that"
    assert asked["definitional/mother/said"] == ([(said, " he"), (said, " she")], 1)
    saw = "The actress looked in the mirror and saw"
    assert asked["definitional/actress/mirror"] == ([(saw, " himself"), (saw, " herself")], 1)


def test_balance_by_hand() -> None:
    # 31 words of each gender x 8 frames = 496.
    samples = Definitional().load()
    assert len(samples) == 2 * 31 * 8 == 496
    assert Counter(s.slices["group"] for s in samples) == {"male": 248, "female": 248}
    assert set(Counter(s.cluster for s in samples).values()) == {8}
    assert Counter(s.slices["form"] for s in samples) == {
        "nominative": 186,
        "possessive": 186,
        "reflexive": 124,
    }


def test_a_model_that_always_takes_the_masculine_is_at_chance() -> None:
    model = ScriptedModel(lambda item: 0.5 if item.text in (" he", " his", " himself") else 0.25)
    assert figures(Definitional(), model)["accuracy"] == 0.5
