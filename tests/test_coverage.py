"""The coverage script: its cases run, repeat under their own seeds, and are judged with Monte-Carlo error."""

from __future__ import annotations

import dataclasses

import pytest

from tests.support.scripts import script

coverage = script("perf/coverage.py")


def test_a_case_repeats_and_holds_where_percentiles_do_not() -> None:
    # Equal rates: a bootstrapped gap is never 0, so its interval never holds the truth.
    case = coverage.gap_case((0.5, 0.5), 50)
    first = coverage.covered(case, 60)
    assert first == coverage.covered(case, 60)
    assert first.percent >= 85
    assert first.before <= 10


def test_events_are_counted_now_and_before() -> None:
    # 74 items: a loss of one point passes a percentile bootstrap in almost half of the draws.
    row = coverage.counted(coverage.kept_event(74, 0.01, 0.01), 60)
    assert row.percent == 0
    assert row.before > 20


@pytest.mark.parametrize(("percent", "held"), [(92.0, True), (91.0, False), (98.5, True), (99.5, False)])
def test_limits_allow_two_standard_errors(percent: float, held: bool) -> None:
    # 1000 draws: 2 sqrt(.93 · .07 / 1000) = 1.61 points below 93 and 2 sqrt(.98 · .02 / 1000) = .89 above 98.
    row = coverage.Row("share", "p", "here", percent, None, 93.0, 98.0, 1000)
    assert row.held == held
    assert coverage.table([row]).count("**out**") == (not held)


def test_every_case_has_a_name_of_its_own() -> None:
    named = [(one.family, one.what, one.where) for one in (*coverage.cases(), *coverage.events())]
    assert len(set(named)) == len(named)
    assert all(dataclasses.is_dataclass(one) for one in coverage.cases())
