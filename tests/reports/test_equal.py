"""Gaps of decisions beside what they would be under equal rates, as people and programs get them."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand import registry, reports, stats
from evenhand.cli import payload, show
from evenhand.records import Measurement, Score
from evenhand.reports import equal
from tests.support import records_factory as make


@pytest.fixture
def decided() -> Measurement:
    """30 of 50 and 10 of 50 are favoured."""
    scores = tuple(
        Score(
            f"{g}/{i}",
            f"{g}/{i}",
            {"member.0": 1.0 - g, "member.1": float(g), "decision": float(i < most), "outcome": float(i % 2)},
        )
        for g, most in enumerate((30, 10))
        for i in range(50)
    )
    metrics = [registry.get("metric", name) for name in ("dpd", "disparate_impact", "decision_accuracy")]
    figures = stats.estimates(metrics, scores)
    whole = make.verification().before[0]
    return dataclasses.replace(whole, benchmark="decisions", metrics=figures, slices={}, scores=scores, n=100)


def test_each_gap_has_its_figure_under_equal_rates(decided: Measurement) -> None:
    """A gap of .4 where equal rates of .4 would give about .08, and a ratio of 1/3 where they give .8."""
    rows = {row[0]: row[2:] for row in equal.table(decided).rows}
    assert set(rows) == {"dpd", "disparate_impact"}
    assert rows["dpd"][0].startswith("0.4")
    assert 0.06 < float(rows["dpd"][1]) < 0.1
    assert 0.7 < float(rows["disparate_impact"][1]) < 0.95


def test_programs_get_it_beside_the_metrics(decided: Measurement) -> None:
    found = payload.measurement(decided)["equal_rates"]
    assert set(found) == {"dpd", "disparate_impact"}
    assert found["dpd"]["p"] <= 0.001
    assert payload.measurement(make.verification().before[0])["equal_rates"] == {}


def test_measure_and_report_print_it(decided: Measurement, capsys: pytest.CaptureFixture[str]) -> None:
    show.measurement(decided)
    printed = capsys.readouterr().out
    assert "decisions: gaps beside chance" in printed
    assert "under equal rates" in printed
    page = reports.measurements_html([decided])
    assert "gaps beside chance" in page
    assert equal.NOTE.split(".")[0] in page
    assert "gaps beside chance" not in reports.measurements_html([make.verification().before[0]])


def test_items_that_lack_what_a_metric_reads_have_none(decided: Measurement) -> None:
    bare = tuple(dataclasses.replace(s, values={"decision": 1.0}) for s in decided.scores)
    assert equal.shown(dataclasses.replace(decided, scores=bare)) == []
