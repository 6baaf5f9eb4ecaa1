"""Reading `lab:decisions` names, and what decides the cache's folder."""

import dataclasses

import pytest

from evenhand.errors import BadOption, UsageError
from evenhand.lab import DecisionRecipe, parse


def test_names_and_their_recipes():
    assert parse("decisions") == parse("decisions?planted=stereotype") == DecisionRecipe()
    assert parse("decisions?planted=none&seed=4") == DecisionRecipe("none", seed=4)


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        ("decisions?block=2", BadOption, "planted=stereotype|none, seed=NUMBER"),
        ("decisions?planted=some", BadOption, "planted=stereotype|none"),
        ("decisions?seed=one", BadOption, "whole number"),
        ("decisions?seed", UsageError, "key=value"),
        ("decisions?seed=1&seed=2", UsageError, "each key once"),
    ],
)
def test_bad_names_say_what_to_write(query, error, says):
    with pytest.raises(error) as caught:
        parse(query)
    assert says in str(caught.value)


def test_too_few_blocks_are_refused():
    with pytest.raises(BadOption, match="layers=3"):
        DecisionRecipe(layers=2)


def test_every_hyper_parameter_changes_the_digest():
    base = DecisionRecipe()
    changes = {
        f.name: getattr(base, f.name) * 2 for f in dataclasses.fields(base) if f.type in ("int", "float")
    }
    digests = {dataclasses.replace(base, **{name: value}).digest() for name, value in changes.items()}
    assert len(digests | {base.digest(), DecisionRecipe("none").digest()}) == len(changes) + 2


def test_the_digest_is_stable():
    """The cached models of a release are found again: a change here needs a new VERSION, and says so."""
    assert DecisionRecipe().name == "lab-decisions-stereotype-f12757853e842913"
