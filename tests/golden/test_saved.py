"""What earlier versions of this program stored still opens: runs, and treatments of each kind.

The folders beside this file were written by the commands of the first version, as a user would have.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import evenhand
from evenhand import registry
from evenhand.errors import BadData
from evenhand.records import VerdictName
from evenhand.studies import reasons
from evenhand.studies.pairing import ModelMeasurements
from evenhand.studies.runs import opened
from evenhand.studies.store import load_verification
from evenhand.studies.verdict import Controlled, judge
from evenhand.treatments import load

SAVED = Path(__file__).parent / "saved"


def test_a_verification_opens_with_every_item() -> None:
    record = load_verification(SAVED / "run")
    assert record.verdict is VerdictName.NO_EVIDENCE
    assert [len(m.scores) for m in record.before] == [20, 20, 20]
    assert record.guards[0].name == "mass"


def test_measurements_open_with_every_item() -> None:
    taken = opened(SAVED / "measured").measurements
    assert [m.benchmark for m in taken] == ["genbiaseval", "genhinteval"]
    assert [len(m.scores) for m in taken] == [8, 8]


@pytest.mark.parametrize("name", ["run", "measured"])
def test_a_report_is_drawn(name: str, tmp_path: Path) -> None:
    page = evenhand.report(SAVED / name, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "genbiaseval" in page


def test_what_a_benchmark_declares_is_filled_in_from_that_of_today() -> None:
    record = load_verification(SAVED / "run")
    gaps, hints, facts = record.before
    assert (gaps.role, gaps.primary, dict(gaps.guards)) == ("bias", "afgb_normalised", {"mass": "mass"})
    assert (hints.primary, dict(hints.guards)) == (None, {"hints": "ub", "mass": "mass"})
    assert (facts.role, facts.primary, dict(facts.guards)) == ("capability", None, {})
    assert [m.guards for m in record.after] == [m.guards for m in record.before]
    assert record.primary == "afgb_normalised"


def without_interval(reason: str) -> str:
    return re.sub(r"interval( of few clusters)? \S+ to [^,]+", "interval", reason)


def test_a_stored_verification_is_judged_as_before() -> None:
    record = load_verification(SAVED / "run")
    sides = [
        ModelMeasurements(*(tuple(m for m in side if m.role == role) for role in ("bias", "capability")))
        for side in (record.before, record.after)
    ]
    found = judge(*sides, Controlled(), seed=record.seed)
    assert found.verdict is record.verdict
    # The intervals of that time were percentiles of resamples; every figure is still the same.
    figures = [without_interval(r.reasons[0]).partition(" Run ")[0] for r in (found, record)]
    assert figures[0] == figures[1]
    newer = {reasons.SCATTER}  # a guard that was not read then
    assert [(g.name, g.kept, g.loss.value) for g in found.guards if g.name not in newer] == [
        (g.name, g.kept, g.loss.value) for g in record.guards
    ]


def test_a_gate_still_does_not_judge_gaps_between_words_that_are_hardly_used() -> None:
    taken = opened(SAVED / "measured").measurements
    rare = replace(taken[0].metrics["mass"], value=0.0005)
    few = replace(taken[0], metrics={**taken[0].metrics, "mass": rare})
    assert not evenhand.gate([few], "afgb < 1")[0].judged
    assert evenhand.gate([few], "mass < 1")[0].judged


def test_runs_compare_with_those_of_today() -> None:
    found = evenhand.compare(SAVED / "measured", SAVED / "measured")
    assert {effect.change.value for effect in found} <= {0.0, None}


def test_a_gate_reads_them() -> None:
    assert evenhand.gate(SAVED / "measured", "mass >= 0")[0].passed


@pytest.mark.parametrize(
    ("folder", "method"),
    [("run/treatment", "prompt"), ("weights", "lftf:blocks=0"), ("rule", "thresholds")],
)
def test_treatments_of_each_kind_open(folder: str, method: str) -> None:
    assert load(SAVED / folder).about.method == method


def test_the_weights_are_those_that_were_saved() -> None:
    treatment = load(SAVED / "weights")
    expected = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    assert torch.equal(treatment.weights["layer.weight"], expected)  # type: ignore[attr-defined]


DIGESTS = json.loads((SAVED / "digests.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("spec", DIGESTS)
def test_benchmarks_ask_what_they_asked_so_that_runs_compare(spec: str) -> None:
    try:
        benchmark = registry.create("benchmark", spec)
    except BadData as error:
        pytest.skip(str(error))
    assert [benchmark.name, benchmark.card.digest] == DIGESTS[spec]
