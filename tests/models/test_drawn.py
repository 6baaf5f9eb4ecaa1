"""Draws that are all equal: a server that ignores the temperature is named, one that does not is not."""

from __future__ import annotations

import pytest

from evenhand.models.drawn import Draws
from evenhand.records import Completion, Sampling, Undefined

PROMPTS = ["a", "b", "c"]
WARM = Sampling(max_tokens=4, temperature=1.0)


def taken(rounds: list[list[str]], sampling: Sampling = WARM) -> Draws:
    """Draws of the prompts; of each round the texts in order."""
    draws = Draws()
    for texts in rounds:
        draws.add(PROMPTS, sampling, [Completion(text, 1) for text in texts])
    return draws


def test_equal_draws_are_named_with_their_number():
    said = taken([["x", "y", "z"]] * 5).remark()
    assert said is not None
    assert "15 texts of 3 prompts, at temperature 1" in said
    assert "do_sample" in said


@pytest.mark.parametrize(
    "draws",
    [
        taken([["x", "y", "z"]]),  # one draw of each says nothing
        taken([["x", "y", "z"], ["x", "y", "another"]]),  # one that differs is enough
        taken([["x", "y", "z"]] * 5, Sampling(max_tokens=4)),  # greedy texts are equal by right
        taken([["x", "y", "z"]] * 5, Sampling(max_tokens=4, temperature=0.1)),
        taken([["x", "y", ""]] * 5),  # nothing was written of the third prompt, and two are too few
    ],
)
def test_what_may_be_so_is_not_named(draws):
    assert draws.remark() is None


def test_a_prompt_without_an_answer_has_no_draw():
    draws = Draws()
    for _ in range(2):
        draws.add(PROMPTS, WARM, [Completion("x", 1), Completion("y", 1), Undefined("content_filter")])
    assert draws.remark() is None


def test_draws_of_other_lengths_or_temperatures_are_not_compared():
    draws = Draws()
    for tokens, text in ((4, "x"), (8, "x y"), (4, "x"), (8, "x y")):
        draws.add(PROMPTS, Sampling(max_tokens=tokens, temperature=1.0), [Completion(text, 1)] * 3)
    assert "12 texts of 6 prompts" in (draws.remark() or "")
