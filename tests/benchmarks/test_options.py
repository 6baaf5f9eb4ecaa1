"""Questions of a few options: what is right, and the shares by hand."""

from __future__ import annotations

import math

import pytest

from evenhand.benchmarks import _options
from evenhand.lexicons import Question
from evenhand.records import Continuation, LogProb

QUESTION = Question(
    "registered nurse/place",
    "registered nurse",
    ("A nurse is", "A cook is"),
    (" here", " here"),
    1,
    {"kind": "place"},
)
SAMPLE = _options.sample("subjects", QUESTION)


def test_a_question_becomes_a_sample() -> None:
    assert (SAMPLE.id, SAMPLE.cluster) == ("subjects/registered-nurse/place", "registered nurse")
    assert SAMPLE.slices == {"kind": "place"}
    assert _options.requests(SAMPLE) == [
        Continuation("A nurse is", " here"),
        Continuation("A cook is", " here"),
    ]


def test_shares_and_margin_by_hand() -> None:
    # .06 and .02 have the shares 3/4 and 1/4; the right one, the second, is less likely by ln 3.
    answers = [LogProb(math.log(0.06), 2), LogProb(math.log(0.02), 1)]
    score = _options.score(SAMPLE, answers)
    assert (score.sample, score.cluster, score.slices) == (SAMPLE.id, SAMPLE.cluster, SAMPLE.slices)
    assert score.values == {
        "correct": 0.0,
        "margin": pytest.approx(-math.log(3)),
        "chance": 0.5,
        "share.0": pytest.approx(0.75),
        "share.1": pytest.approx(0.25),
    }


def test_shares_of_means_per_token_by_hand() -> None:
    # Two tokens of .2 and one of .1: means .2 and .1, shares 2/3 and 1/3.
    answers = [LogProb(math.log(0.04), 2), LogProb(math.log(0.1), 1)]
    values = _options.score(SAMPLE, answers, "token").values
    assert values["correct"] == 0.0
    assert (values["share.0"], values["share.1"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


def test_very_unlikely_options_have_shares_and_impossible_ones_none() -> None:
    # e^-2000 is 0 as a float; the shares of -2000 and -2000 + ln 3 are 1/4 and 3/4 all the same.
    assert _options.shares([-2000.0, -2000.0 + math.log(3)]) == pytest.approx([0.25, 0.75])
    assert _options.shares([-math.inf, -1.0]) == [0.0, 1.0]
    assert _options.shares([-math.inf, -math.inf]) == [None, None]
