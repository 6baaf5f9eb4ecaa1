"""compare, gate and plan from Python: on folders and on records, the same figures as from the parts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import evenhand
from evenhand.errors import BadData
from evenhand.studies import store
from evenhand.studies.compare import compare
from tests.support import records_factory as make


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    store.save_measurements(tmp_path / "base", [make.genbiaseval()])
    better = make.genbiaseval(make.shrunk(make.SHARES, 0.5), treatment="lftf")
    store.save_measurements(tmp_path / "treated", [better])
    return tmp_path / "base", tmp_path / "treated"


def test_compare(runs: tuple[Path, Path]) -> None:
    base, treated = runs
    effects = evenhand.compare(base, str(treated), seed=3)
    assert {e.metric: e.change.value for e in effects}["afgb"] == pytest.approx(-0.24)
    loaded = [store.load_measurements(folder) for folder in runs]
    assert effects == compare(*loaded, seed=3) == evenhand.compare(*loaded, seed=3)
    assert effects != evenhand.compare(base, treated, seed=4)  # other resamples, other intervals


def test_gate(runs: tuple[Path, Path]) -> None:
    base, _ = runs
    (one,) = evenhand.gate(base, "afgb<=0.1")
    assert (one.passed, one.name) == (False, "genbiaseval.afgb.value")
    assert [r.passed for r in evenhand.gate(str(base), ["afgb<=0.5", "mass>=0.95"])] == [True, False]


def test_a_verification_counts_for_what_was_measured_after() -> None:
    record = make.verification()
    record = dataclasses.replace(record, before=record.before[:1], after=record.after[:1])
    assert [r.passed for r in evenhand.gate(record, ["afgb<=0.1", "verdict==mitigated"])] == [True, True]
    same = evenhand.compare(dataclasses.replace(record, after=record.before), record)
    assert {e.metric: e.change.value for e in same}["afgb"] == pytest.approx(0.096 - 0.48)


def test_no_such_run(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="nowhere"):
        evenhand.gate(tmp_path / "nowhere", "afgb<=0.1")


def test_plan_opens_no_model() -> None:
    planned = evenhand.plan(
        "hf:./nowhere", with_="lftf", benchmarks="genbiaseval", capability="facts", limit=9
    )
    assert planned.limited
    assert [(line.benchmark, line.items) for line in planned.benchmarks] == [("genbiaseval", 9), ("facts", 9)]
    assert (planned.least["plain text"], planned.control["plain text"]) == (6, 13)  # the first and last look
    assert planned.cells == 2 * (2 + sum(planned.control.values()))
    assert evenhand.plan("lab:causal", with_="lftf", control="none").control == {}
