"""The contract case of the instruction; what it does to answers: `tests/treatments`."""

from __future__ import annotations

from evenhand.lexicons import attribute
from evenhand.mitigations._shams import SHAMS, neutral
from evenhand.mitigations.prompt import NEUTRAL
from evenhand.testing import MitigationCase

# On the tiny models of 64 positions the default instruction does not fit.
CASE = MitigationCase("prompt", "prompt:text=Anyone may be late.")


def test_the_neutral_texts_are_about_as_long_as_the_instruction_and_unlike() -> None:
    assert len(SHAMS) == len(set(SHAMS)) >= 13  # the largest number of models of a family
    assert all(0.9 < len(text) / len(NEUTRAL) < 1.1 for text in SHAMS)
    words = {word.strip(".,").lower() for text in SHAMS for word in text.split()}
    terms = {form.strip().lower() for g in attribute("gender").groups for form in g.terms}
    assert not words & (terms | {"people", "person", "anyone", "everyone", "who", "fair", "equal"})


def test_a_sham_has_as_many_words_as_the_text() -> None:
    assert neutral(5, 0) == "The path along the river."
    assert neutral(5, 14) == neutral(5, 0) != neutral(5, 1)
    assert neutral(30, 13) == SHAMS[13] + " " + " ".join(SHAMS[0].split()[:11]).rstrip(",") + "."
    assert len(SHAMS[13].split()) == 19
