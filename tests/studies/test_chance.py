"""A figure that a guessing model would have is said to be at chance; what can be told from it is not."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand import registry
from evenhand.records import Estimate, Score
from evenhand.studies.chance import at_chance, level, said
from evenhand.studies.measure import take
from evenhand.testing.scripted import ScriptedModel
from tests.support import records_factory as make


def items(*options: int) -> list[Score]:
    return [Score(str(i), str(i), {"correct": 1.0, "chance": 1 / n}) for i, n in enumerate(options)]


def test_an_accuracy_is_compared_with_its_own_items() -> None:
    figures = {"accuracy": Estimate(0.31, 0.2, 0.4, 3, ideal=1.0)}
    assert level("accuracy", figures, items(2, 4, 4)) == pytest.approx(1 / 3)
    (sentence,) = said("mine", figures, items(2, 4, 4))
    assert sentence.startswith("At chance on mine")
    assert "accuracy is 0.310 (0.200 to 0.400), and chance is 0.333" in sentence
    assert said("mine", figures, items(2, 2, 2)) == []  # 0.5 is above the interval
    assert said("mine", figures, [Score("a", "a", {"correct": 1.0})]) == []  # nobody knows
    assert said("mine", {"accuracy": Estimate(0.31, None, None, 1)}, items(3)) == []  # no interval


def test_decisions_are_compared_with_their_own_rate() -> None:
    figures = {"decision_accuracy": Estimate(0.6, 0.5, 0.7, 9), "chance": Estimate(0.55, 0.5, 0.6, 9)}
    assert "chance is 0.55" in said("decisions", figures, [])[0]
    assert said("decisions", {**figures, "chance": Estimate(0.45, 0.4, 0.5, 9)}, []) == []


def test_of_stereotypes_chance_is_the_ideal() -> None:
    (sentence,) = said("stereoset", {"ss": Estimate(48, 43, 53, 9, ideal=50.0)}, [])
    assert "ss is 48.0 (43.0 to 53.0), and chance is 50, as is the ideal" in sentence
    assert said("stereoset", {"ss": Estimate(60, 55, 65, 9, ideal=50.0)}, []) == []


def test_a_signed_figure_is_compared_with_its_ideal() -> None:
    near, far = Estimate(0.1, -0.2, 0.4, 9, ideal=0.0), Estimate(0.3, 0.2, 0.4, 9, ideal=0.0)
    assert said("weat", {"weat_effect": near}, [])[0].endswith(
        "it cannot be distinguished from the ideal, 0."
    )
    assert said("weat", {"weat_effect": far}, []) == []
    assert said("weat", {"afgb": far, "weat_effect": near}, []) == []  # not what the benchmark is about


def test_measure_says_it_of_a_uniform_model_and_not_of_a_knowing_one() -> None:
    benchmark = registry.create("benchmark", "facts")
    right = {s.fields["prompt"]: s.fields["options"][s.fields["answer"]] for s in benchmark.load()}
    hashed = ScriptedModel(lambda r: (hash_of(f"guess {r.context}{r.text}") % 9973 + 1) / 20000)
    knowing = ScriptedModel(lambda r: 0.9 if right[r.context] == r.text else 0.01)
    assert [n for n in take(hashed, benchmark).notes if n.startswith("At chance on facts")]
    assert not [n for n in take(knowing, benchmark).notes if n.startswith("At chance")]
    assert at_chance(take(hashed, benchmark))


def hash_of(text: str) -> int:
    import hashlib

    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])


def test_a_stored_measurement_without_the_column_says_nothing() -> None:
    assert at_chance(make.simple("facts", "accuracy", 0.25)) == []
    assert at_chance(dataclasses.replace(make.genbiaseval(), scores=())) == []
