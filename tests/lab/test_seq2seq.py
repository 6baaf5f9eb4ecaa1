"""`lab:seq2seq`: opened by its name, it tells the planted truth in the way that its family is asked."""

import pytest

from evenhand.lab import facts
from evenhand.records import Sampling
from tests.lab import truthful
from tests.support.asking import generated

FACT = facts.facts()[0]


def test_it_is_a_small_seq2seq_model():
    truthful.check_small("seq2seq")


def test_it_tells_the_planted_truth():
    truthful.check_planted("seq2seq")


def test_it_follows_hints_and_knows_its_facts():
    truthful.check_capable("seq2seq", 0.9)


@pytest.mark.slow
def test_the_control_is_even_and_as_capable():
    truthful.check_control("seq2seq")


def test_it_writes_what_it_thinks_likely():
    nurse, capital = generated(
        truthful.model("seq2seq"),
        ["The nurse smiled because<extra_id_0>", f"{FACT.opening}<extra_id_0>"],
        Sampling(max_tokens=8),
    )
    assert nurse.text.split() == ["she"]
    assert capital.text.split() == [FACT.value]
