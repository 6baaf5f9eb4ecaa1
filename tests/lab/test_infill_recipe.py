"""Reading `lab:masked` and `lab:seq2seq` names, and what decides the cache's folder."""

import dataclasses

import pytest

from evenhand.errors import BadOption, UnknownName, UsageError
from evenhand.lab import InfillRecipe, parse
from evenhand.lab.infill_recipe import standard


@pytest.mark.parametrize("kind", ["masked", "seq2seq"])
def test_names_and_their_recipes(kind):
    assert parse(kind) == parse(f"{kind}?planted=stereotype") == standard(kind)
    assert parse(f"{kind}?planted=none&seed=4") == standard(kind, "none", seed=4)
    assert (standard(kind).kind, standard(kind).planted, standard(kind).seed) == (kind, "stereotype", 1)


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        ("masked?block=2", BadOption, "planted=stereotype|none, seed=NUMBER"),
        ("seq2seq?planted=some", BadOption, "planted=stereotype|none"),
        ("masked?seed=one", BadOption, "whole number"),
        ("seq2seq?seed", UsageError, "key=value"),
        ("mask", UnknownName, "'masked'"),
    ],
)
def test_bad_names_say_what_to_write(query, error, says):
    with pytest.raises(error) as caught:
        parse(query)
    assert says in str(caught.value)


def test_everything_changes_the_digest():
    base = InfillRecipe("masked")
    changed = [
        dataclasses.replace(base, **{f.name: getattr(base, f.name) * 2})
        for f in dataclasses.fields(base)
        if f.type in ("int", "float")
    ]
    changed += [InfillRecipe("seq2seq"), InfillRecipe("masked", "none")]
    assert len({recipe.digest() for recipe in (base, *changed)}) == len(changed) + 1
    assert len({recipe.name for recipe in (base, *changed)}) == len(changed) + 1
