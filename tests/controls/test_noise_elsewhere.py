"""Noise elsewhere: on as many other blocks as the treatment touches, drawn by the seed."""

from __future__ import annotations

import pytest

from evenhand import registry
from evenhand.controls import Control
from evenhand.errors import BadModel
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.testing.treatments import unchanged


def _control(spec: str = "noise_elsewhere") -> Control:
    made: Control = registry.create("control", spec)
    return made


def test_it_damages_as_many_blocks_as_are_touched_and_none_of_these() -> None:
    model = tiny("llama")  # three blocks
    blocks = {b: set(model.layout.parameters(b)) for b in model.layout.blocks()}
    drawn = {_control().parameters(model, unchanged(model, "block.1"), seed=seed) for seed in range(20)}
    assert {frozenset(names) for names in drawn} == {
        frozenset(blocks["block.0"]),
        frozenset(blocks["block.2"]),
    }
    two = _control().parameters(model, unchanged(model, "block.0", "block.1"), seed=0)
    assert set(two) == blocks["block.2"]  # all that is left
    named = _control("noise_elsewhere:blocks=0+2").parameters(model, unchanged(model), seed=0)
    assert set(named) == blocks["block.1"]


def test_damage_is_to_the_parameters_that_it_says() -> None:
    model = tiny("llama")
    beside = unchanged(model, "block.1")
    found = _control().damage(model, beside, 0.5, examples=examples(), seed=4)
    assert found.touches == set(_control().parameters(model, beside, seed=4))
    assert found.about.method == "noise_elsewhere:dose=0.5"


def test_where_every_block_is_touched_there_is_no_elsewhere() -> None:
    model = tiny("llama")
    for beside in (unchanged(model, *model.layout.blocks()), unchanged(model)):
        assert _control().parameters(model, beside, seed=0) == ()
        with pytest.raises(BadModel, match="no block to damage"):
            _control().damage(model, beside, 0.5, examples=examples(), seed=0)
