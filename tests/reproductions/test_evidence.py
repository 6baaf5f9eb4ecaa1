"""Figures and changes from stored measurements: slices, draws, several settings, and what is missing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from evenhand.records import Measurement, Score
from evenhand.reproductions import lftf
from evenhand.reproductions.evidence import Evidence, Missing, Site, drawn, specs
from evenhand.reproductions.published import read
from evenhand.studies.grid.cells import FAILED, Cell, State
from evenhand.studies.grid.result import Outcome
from tests.support import records_factory as make

HALF = {"nurse": 0.3, "doctor": 0.7, "clerk": 0.6, "guard": 0.8}
GAP = Site("AFGB", "afgb", ("genbiaseval",))


def outcome(spec: str, shrink: float) -> Outcome:
    record = make.verification(shares=HALF, shrink=shrink)
    return Outcome(Cell("lab:causal", spec, spec, 0, Path("x")), State("done"), record)


def evidence(**outcomes: Outcome) -> Evidence:
    return Evidence(read("lftf"), outcomes, (), {}, {})


def test_a_change_is_paired_and_two_treatments_can_be_compared() -> None:
    found = evidence(half=outcome("half", 0.5), most=outcome("most", 0.75))
    mass = make.MASS
    # |2 share - 1| of .3, .7, .6, .8 is .4, .4, .2, .6: .4 in the mean, times the mass of both words
    before = 0.4 * mass
    change = found.change(GAP, "half")
    assert change.before.value == pytest.approx(before)
    assert change.after.value == pytest.approx(before / 2)
    assert change.change.value == pytest.approx(-before / 2)
    between = found.change(GAP, "most", "half")
    assert between.change.value == pytest.approx(before / 4 - before / 2)
    assert found.figure(GAP).value == pytest.approx(before)


def test_slices_are_compared_under_shared_resamples() -> None:
    found = evidence(half=outcome("half", 0.5))
    change = found.across("AFGB", GAP, "scale=word", "scale=sentence")
    assert change.change.value == pytest.approx(0.0, abs=1e-12)  # all scales alike
    assert change.change.low is None or abs(change.change.low) < 1e-12


def test_what_was_not_measured_is_missing_with_its_reason() -> None:
    failed = Outcome(Cell("m", "s", "s", 0, Path("x")), State(FAILED, error="BadModel: No such block."))
    found = evidence(s=failed)
    with pytest.raises(Missing, match="s: BadModel: No such block"):
        found.change(GAP, "s")
    with pytest.raises(Missing, match="other was not run"):
        found.record("other")
    with pytest.raises(Missing, match="HumanEval: running code"):
        found.site("humaneval")
    with pytest.raises(Missing, match="the lab's models were not made for it"):
        dataclasses.replace(found, lab=True).site("mmlu")
    with pytest.raises(Missing, match="UB was not measured"):
        found.figure(found.site("ub"))
    without = dataclasses.replace(found, absent={"genhinteval:form=paper786": "No data."})
    with pytest.raises(Missing, match="UB: No data"):
        without.figure(without.site("ub"))


def test_places_are_filled_and_draws_counted() -> None:
    assert specs("decisions:task={task}", {"task": "lab"}) == ("decisions:task=lab",)
    assert specs("a:b={task}", {"task": "x"}, 2) == ("a:b=x,prompt_seed=0", "a:b=x,prompt_seed=1")
    with pytest.raises(Missing, match="no stereoset"):
        specs("{stereoset}", {"stereoset": ""})


def test_people_and_draws_are_resampled_together() -> None:
    weights = drawn(people=3, draws=2)
    assert weights.shape == (1000, 6)
    # each row is the product of 3 counts that sum to 3 and 2 counts that sum to 2
    assert np.all(weights.sum(axis=1) == 6)
    blocks = weights.reshape(1000, 2, 3)
    once = blocks[(blocks.sum(axis=2) == 3).all(axis=1)]  # both draws once: the same people in both
    assert len(once)
    assert np.array_equal(once[:, 0], once[:, 1])


def _decided(spec: str, rates: dict[str, float]) -> Measurement:
    scores = tuple(Score(f"{name}", name, {"correct": rate}, {}) for name, rate in sorted(rates.items()))
    return dataclasses.replace(make.simple(spec, "accuracy", 0.5), benchmark=spec, scores=scores)


def test_two_settings_on_the_same_people(monkeypatch: pytest.MonkeyPatch) -> None:
    from evenhand.reproductions import evidence as module

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    monkeypatch.setattr(module, "made", Named)
    names = [f"p{i}" for i in range(40)]
    taken = [
        _decided("a", {name: float(i % 2) for i, name in enumerate(names)}),
        _decided("b", {name: float(i % 4 == 0) for i, name in enumerate(names)}),
    ]
    found = Evidence(read("faircon"), {}, taken, {}, {})
    old, new = (Site("accuracy", "accuracy", (name,)) for name in "ab")
    change = found.between("accuracy, a to b", old, new)
    # 20 of 40 are right, then 10 of 40
    assert (change.before.value, change.after.value) == (pytest.approx(0.5), pytest.approx(0.25))
    assert change.change.value == pytest.approx(-0.25)
    assert change.change.low is not None
    assert change.change.low < -0.25 < (change.change.high or 0.0)
    same = found.between("accuracy", old, old).change
    assert (same.value, same.low, same.high) == (0.0, None, None)  # nothing varies: nothing is bounded


def test_the_last_block_is_asked_of_the_locator() -> None:
    claim = next(one for one in lftf.CLAIMS if one.text.startswith("BMI ranks"))
    found = claim.judged(evidence(**{lftf.LFTF: outcome(lftf.LFTF, 0.5)}))
    assert (str(found.state), found.why) == (
        "holds",
        "bmi ranks block.3 first of 4, and block.3, the last, first",
    )
