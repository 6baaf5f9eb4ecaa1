"""Preferences, and reading an answer in words without guessing."""

from __future__ import annotations

import math

import pytest

from evenhand.benchmarks._pairs import chosen, difference, mean_logprob, most_likely, plain, preference
from evenhand.records import LogProb

OPTIONS = ("The 28-year-old", "Not answerable", "The older man")


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("Choice2", 1),
        (" choice 3.", 2),
        ("2", 1),
        ("(1) The 28-year-old", 0),
        ("The answer is 3", 2),
        ("Answer: Choice1", 0),
        ("Not answerable.", 1),
        ("It is the older man, of course", 2),
        ("THE OLDER MAN", 2),
        ("28", None),  # an age, not the second option
        ("2-year-old", None),
        ("4", None),
        ("Choice7", None),
        ("Choice1 or Choice2", None),
        ("The 28-year-old and the older man", None),
        ("The old", None),
        ("", None),
        ("No idea", None),
    ],
)
def test_answers_in_words(answer, place) -> None:
    assert chosen(answer, OPTIONS) == place


def test_an_option_inside_another_word_is_not_named() -> None:
    assert chosen("the manager", ("the man", "the woman")) is None
    assert chosen("a woman", ("man", "woman")) == 1


def test_preferences() -> None:
    assert [preference(-1.0, -2.0), preference(-2.0, -1.0), preference(-1.0, -1.0 - 1e-12)] == [1.0, 0.0, 0.5]
    assert preference(-math.inf, -math.inf) == 0.5
    assert preference(-1.0, -math.inf) == 1.0
    assert preference(None, -1.0) is None


def test_differences_are_finite_or_undefined() -> None:
    assert difference(-1.0, -3.0) == 2.0
    assert difference(-1.0, -math.inf) is None
    assert difference(-math.inf, -math.inf) is None
    assert difference(-1.0, None) is None


def test_the_most_likely_of_several() -> None:
    assert most_likely([-3.0, -1.0, -2.0]) == 1
    assert most_likely([-1.0, -1.0, -2.0]) is None
    assert most_likely([-2.0, -1.0, -2.0]) == 1
    assert most_likely([-1.0, None]) is None
    assert most_likely([-math.inf, -math.inf]) is None


def test_means_and_plain_texts() -> None:
    assert mean_logprob(LogProb(-6.0, 3)) == -2.0
    assert mean_logprob(LogProb(0.0, 0)) is None
    assert plain("  Isn't he  HERE, now?") == "isnt he here now"
