"""Slices by two columns: their keys, their items, and what is refused."""

from __future__ import annotations

import math

import pytest

from evenhand.benchmarks.genbiaseval import GenBiasEval
from evenhand.errors import UsageError
from evenhand.studies.measure import crossed, crossing, take
from evenhand.testing.scripted import EVEN, ScriptedModel, choosing

RELIGION = GenBiasEval(attribute="religion", part="dev")


def test_every_combination_is_a_slice_beside_the_single_ones() -> None:
    stated = {s.id for s in RELIGION.load() if s.slices["definitional"] == "yes"}
    model = choosing(RELIGION, lambda sample: "sikh" if sample.id in stated else EVEN)
    plain = take(model, RELIGION)
    taken = crossed(plain, RELIGION, ("definitional", "scale"))
    added = taken.slices.keys() - plain.slices.keys()
    scales = ("word", "phrase", "sentence")
    assert added == {f"definitional={d} & scale={s}" for d in ("yes", "no") for s in scales}
    assert {name: taken.slices[name] for name in plain.slices} == plain.slices
    # One of six groups has all: 5 of 15 pairs differ by 1. Elsewhere nothing differs.
    for name in added:
        value = taken.slices[name]["afgb"].value
        assert value == pytest.approx(1 / 3 if "definitional=yes" in name else 0.0)
    counts = [taken.slices[name]["afgb"].n for name in added]
    assert sum(counts) == len(RELIGION.load())
    assert min(counts) > 0


def test_a_crossed_slice_has_the_single_slices_interval_where_they_are_one() -> None:
    model = ScriptedModel(lambda item: math.exp(-len(item.context + item.text) / 9))
    taken = take(model, RELIGION, limit=40)
    some = {s.sample for s in taken.scores if s.slices["scale"] == "word"}
    again = crossed(taken, RELIGION, ("scale", "definitional"))
    both = [v["afgb"].n for k, v in again.slices.items() if k.startswith("scale=word & ")]
    assert sum(both) == len(some) == taken.slices["scale=word"]["afgb"].n


def test_items_without_a_slice_are_in_no_combination() -> None:
    plain = take(choosing(RELIGION, lambda sample: EVEN), RELIGION, limit=5)
    assert crossed(plain, RELIGION, ("scale", "colour")) == plain


def test_what_cannot_be_crossed() -> None:
    with pytest.raises(UsageError, match=r"--by scale names fewer than two"):
        crossing([RELIGION], ("scale",))
    with pytest.raises(UsageError) as caught:
        crossing([RELIGION, GenBiasEval()], ("scale", "colour"))
    assert "No benchmark has all the slices scale, colour" in caught.value.what
    assert "genbiaseval has scale" in caught.value.mend
    crossing([GenBiasEval(), RELIGION], ("scale", "definitional"))  # one of them is enough
