"""Reading `lab:` names, and what decides the cache's folder."""

import dataclasses

import pytest

from evenhand.errors import BadOption, UnknownName, UsageError
from evenhand.lab import Recipe, parse


def test_names_and_their_recipes():
    assert parse("causal") == parse("causal?block=2") == Recipe("stereotype", 2)
    assert parse("causal?planted=none") == Recipe("none", None)
    assert parse("causal?planted=stereotype&block=0") == Recipe("stereotype", 0)
    assert parse("causal?seed=7&block=3") == Recipe("stereotype", 3, seed=7)


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        ("casual", UnknownName, "'causal'"),
        ("", UnknownName, "causal"),
        ("causal?colour=red", BadOption, "planted=stereotype|none"),
        ("causal?planted=some", BadOption, "planted=stereotype|none"),
        ("causal?block=two", BadOption, "whole number"),
        ("causal?block=-1", BadOption, "whole number"),
        ("causal?block=4", BadOption, "block=0 to block=3"),
        ("causal?planted=none&block=1", BadOption, "leave block out"),
        ("causal?block", UsageError, "key=value"),
        ("causal?block=", UsageError, "key=value"),
        ("causal?block=1&block=2", UsageError, "each key once"),
        ("causal?block=1&", UsageError, "key=value"),
    ],
)
def test_bad_names_say_what_to_write(query, error, says):
    with pytest.raises(error) as caught:
        parse(query)
    assert says in str(caught.value)


def test_a_control_is_shared_by_all_that_is_planted_on_it():
    recipes = [parse(f"causal?block={block}") for block in range(4)]
    assert {r.control().digest() for r in recipes} == {parse("causal?planted=none").digest()}
    changed = dataclasses.replace(recipes[0], plant_steps=7)
    assert changed.control().digest() == recipes[0].control().digest()
    assert changed.digest() != recipes[0].digest()


def test_every_hyper_parameter_changes_the_digest():
    base = Recipe()
    changes = {
        f.name: getattr(base, f.name) * 2 for f in dataclasses.fields(base) if f.type in ("int", "float")
    }
    digests = {dataclasses.replace(base, **{name: value}).digest() for name, value in changes.items()}
    assert len(digests | {base.digest()}) == len(changes) + 1
