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
        ("causal?bias=loud", BadOption, "block, spread, fragile, decoy"),
        ("causal?world=flat", BadOption, "plain, hard"),
        ("causal?bias=spread&block=1", BadOption, "leave block out"),
        ("causal?bias=decoy&planted=none", BadOption, "leave one of the two out"),
        ("causal?world=hard&planted=none&block=1", BadOption, "leave block out"),
        ("causal?world=hard&block=4", BadOption, "block=0 to block=3"),
        ("decisions?world=hard", BadOption, "no option 'world'"),
        ("masked?bias=spread", BadOption, "no option 'bias'"),
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


def test_the_plain_lab_keeps_the_names_that_caches_know():
    # digests of the recipes before there were other biases and worlds
    assert parse("causal").name == "lab-causal-block2-3f5535a394764918"
    assert parse("causal?bias=block&world=plain") == parse("causal")
    assert parse("causal?planted=none").name == "lab-causal-control-0e5822bcc3df67a9"


def test_biases_and_worlds_go_together_and_share_their_control():
    found = [
        parse(f"causal?bias={bias}&world={world}&seed=3")
        for bias in ("block", "spread", "fragile", "decoy")
        for world in ("plain", "hard")
    ]
    assert len({r.name for r in found}) == 8
    assert {r.control().name for r in found[::2]} == {parse("causal?planted=none&seed=3").name}
    assert {r.control().name for r in found[1::2]} == {parse("causal?planted=none&world=hard&seed=3").name}
    assert [r.table for r in found[::2]] == ["stereotype", "stereotype", "stereotype", "none"]


def test_forty_seeds_are_forty_models():
    assert len({parse(f"causal?seed={seed}").name for seed in range(40)}) == 40


def test_models_that_differ_in_strength_share_their_control() -> None:
    half = parse("causal?strength=0.5")
    assert half.name not in {parse("causal").name, parse("causal?strength=0.8").name}
    assert half.control().name == parse("causal").control().name
    assert parse("causal?strength=1") == parse("causal?strength=1.0") == parse("causal")
    for refused in ("causal?strength=0", "causal?strength=1.5", "causal?strength=nan", "causal?strength=x"):
        with pytest.raises(BadOption, match="is no number above 0 and at most 1"):
            parse(refused)
    for refused in ("causal?strength=0.5&planted=none", "causal?strength=0.5&bias=decoy"):
        with pytest.raises(BadOption, match="goes with a planted table"):
            parse(refused)
