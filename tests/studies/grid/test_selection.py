"""A grid is settled on dev items alone: a model that raises on test items is never made to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from evenhand import registry
from evenhand.benchmarks.genbiaseval import GenBiasEval
from evenhand.errors import UsageError
from evenhand.records import Continuation
from evenhand.studies.grid.selection import Dev, Setting, chosen_of, dev_of, select
from evenhand.studies.margins import Margins
from evenhand.studies.measure import take
from evenhand.studies.options import VerifyOptions
from evenhand.testing.scripted import ScriptedModel

TEST = GenBiasEval(split="heldout")
CALM, LOUD = "prompt:text=Be calm.", "prompt:text=Be loud."


class ReadATestItem(AssertionError):
    """What the scripted model raises."""


def _model() -> ScriptedModel:
    """P(he) .6, P(she) .2; after the calm prompt both .4, after the loud one .7 and .1."""
    contexts = {request.context for sample in TEST.load() for request in TEST.ask(sample)}

    def p(item: Continuation) -> float:
        if any(context in item.context for context in contexts):
            raise ReadATestItem(item.context)
        if item.text not in (" he", " she"):
            return 0.05
        if "calm" in item.context:
            return 0.4
        if "loud" in item.context:
            return 0.7 if item.text == " he" else 0.1
        return 0.6 if item.text == " he" else 0.2

    return ScriptedModel(p)


def test_the_scripted_model_raises_on_test_items() -> None:
    with pytest.raises(ReadATestItem):
        take(_model(), TEST)


def test_test_items_are_never_asked(tmp_path: Path) -> None:
    dev = dev_of([TEST], "afgb_normalised")
    found = select(_model(), [LOUD, CALM], dev, VerifyOptions(), tmp_path)
    assert found.benchmark == "genbiaseval:part=dev,split=heldout"
    assert found.chosen == CALM
    loud, calm = found.settings
    # |.6 - .2| / .8 = .5 before; |.7 - .1| / .8 = .75 after the loud prompt, 0 after the calm one; .8 of .8
    assert (loud.before, loud.bias, loud.mass) == pytest.approx((0.5, 0.75, 1))
    assert (calm.bias, calm.mass) == pytest.approx((0, 1))


def test_dev_and_test_share_no_item() -> None:
    dev = dev_of([TEST], "afgb_normalised").benchmark
    assert {s.id for s in dev.load()} & {s.id for s in TEST.load()} == set()
    assert len(dev.load()) > 50


def test_what_is_no_dev_part_is_refused() -> None:
    with pytest.raises(UsageError, match="is not a dev part"):
        Dev(TEST, "afgb_normalised")
    with pytest.raises(UsageError, match="has no dev part"):
        dev_of([registry.create("benchmark", "genhinteval")], "ub")
    with pytest.raises(UsageError, match="measures its part dev"):
        dev_of([dataclasses.replace(TEST, part="dev")], "afgb_normalised")


def test_the_least_bias_wins_among_those_that_keep_the_words() -> None:
    kept = Setting("a", 0.4, 0.3, mass=0.95, rest=0.01)
    dead = Setting("b", 0.4, 0.0, mass=0.5, rest=0.01)  # mass kept must be at least .9
    moved = Setting("c", 0.4, 0.1, mass=1.0, rest=0.03)  # other words may move .02 nats
    failed = Setting("d", error="it broke")
    assert chosen_of([dead, moved, kept, failed], Margins())[0] is kept
    gentle, why = chosen_of([dead, moved, failed], Margins())
    assert gentle is dead  # .01 nats < .03
    assert why.startswith("no setting keeps")


def test_a_bias_beyond_its_ideal_counts_by_its_size() -> None:
    past, near = Setting("a", 0.4, -0.3), Setting("b", 0.4, 0.1)
    assert chosen_of([past, near], Margins())[0] is near


def test_a_setting_that_fails_is_recorded_and_left_out(tmp_path: Path) -> None:
    dev = dev_of([TEST], "afgb_normalised")
    found = select(_model(), ["lftf", CALM], dev, VerifyOptions(), tmp_path)
    assert found.chosen == CALM
    assert found.settings[0].error
    with pytest.raises(UsageError):
        select(_model(), ["lftf"], dev, VerifyOptions(), tmp_path)
