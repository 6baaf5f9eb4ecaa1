"""Plain text: sentences without the groups' words, in the treated parameters, scaled by the dose."""

from __future__ import annotations

import pytest
import torch

from evenhand.controls.plain_text import PlainText, sentences
from evenhand.lexicons import everyday, plain
from evenhand.records import Example
from evenhand.testing import ControlCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.testing.treatments import unchanged
from evenhand.treatments.weights import WeightTreatment

CASE = ControlCase("plain_text", harmless=1.0)


def _tuned(dose: float = 1.0, seed: int = 0) -> WeightTreatment:
    model = tiny("llama")
    beside = unchanged(model, "block.1", lr=1e-3, epochs=1, batch=4)
    made = PlainText(lr=5.0, epochs=9).damage(model, beside, dose, examples=examples(), seed=seed)
    assert isinstance(made, WeightTreatment)
    return made


def test_it_trains_the_touched_parameters_by_the_treatments_recipe() -> None:
    made = _tuned()
    told = made.about.details
    assert (told["lr"], told["steps"], told["sentences"]) == (1e-3, 4, 16)  # 16 prompts in batches of 4
    assert made.touches == set(tiny("llama").layout.parameters("block.1"))
    assert made.about.method == "plain_text:batch=4,epochs=1,lr=0.001"


def test_it_learns_the_text() -> None:
    model = tiny("llama")
    tuned = PlainText(lr=3e-3, epochs=8, batch=8).damage(
        model, unchanged(model), 1.0, examples=examples(), seed=0
    )
    assert tuned.about.details["last_loss"] < tuned.about.details["first_loss"] - 0.1  # nats a token


def test_the_dose_scales_the_change_of_one_fit() -> None:
    one, three = _tuned(1.0), _tuned(3.0)
    module = tiny("llama").module
    for name, value in one.weights.items():
        base = module.get_parameter(name).detach()
        torch.testing.assert_close(three.weights[name] - base, 3 * (value - base), atol=1e-6, rtol=1e-3)


def test_sentences_are_drawn_each_once_before_any_twice_and_without_the_terms() -> None:
    model, number = tiny("llama"), len(plain())
    drawn = sentences(model, examples(), number + 10, seed=1)
    assert set(drawn[:number]) == set(plain())
    assert len(set(drawn[number:])) == 10
    assert drawn != sentences(model, examples(), number + 10, seed=2)
    snow = Example("x", "x", "The", ("a", "b"), ((" snow",), (" rope",)))
    assert not any("snow" in text.lower() or "rope" in text for text in sentences(model, [snow], 85, 1))
    assert not set(plain()) & set(everyday())


@pytest.mark.parametrize("word", ["he", "she", "they", "his", "her", "man", "woman", "people", "nurse"])
def test_no_sentence_names_a_person(word: str) -> None:
    assert len(plain()) >= 80
    assert not any(word in text.lower().strip(".").split() for text in plain())
