"""Decisions in a report: the same people as members of each group."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand import reports
from evenhand.records import Measurement, Score
from evenhand.reports import decided, figures
from tests.support import records_factory as make


def _person(name: str, outcome: float, male: float | None, female: float | None) -> Score:
    return Score(name, name, {"p.male": male, "p.female": female, "outcome": outcome})


BEFORE = (
    _person("a", 1, 0.9, 0.7),
    _person("b", 1, 0.7, 0.3),
    _person("c", 1, None, None),  # nobody can tell
    _person("d", 0, 0.4, 0.1),
)
AFTER = tuple(_person(s.sample, s.values["outcome"] or 0, 0.6, 0.6) for s in BEFORE)


def _measured(scores: tuple[Score, ...]) -> Measurement:
    return dataclasses.replace(make.genbiaseval(), benchmark="decisions", scores=scores, slices={})


def test_each_group_gets_the_mean_over_the_same_people() -> None:
    found = decided.rows(_measured(BEFORE), _measured(AFTER))
    # Of those who deserve it: as men (0.9 + 0.7) / 2, as women (0.7 + 0.3) / 2; the third is undefined.
    assert [(row.who, row.group) for row in found] == [
        ("deserve it", "male"),
        ("deserve it", "female"),
        ("do not", "male"),
        ("do not", "female"),
    ]
    assert [row.before.value for row in found] == pytest.approx([0.8, 0.5, 0.4, 0.1])
    assert [row.before.n for row in found] == [2, 2, 1, 1]
    assert [row.after.value for row in found if row.after] == pytest.approx([0.6] * 4)
    assert found[2].before.low is None  # one person alone has no interval


def test_without_people_of_an_outcome_there_is_no_mean() -> None:
    *_, last = decided.rows(_measured(BEFORE[:2]))
    assert (last.before.value, last.before.n, last.after) == (None, 0, None)


def test_only_decisions_are_drawn_so() -> None:
    assert decided.is_decided(_measured(BEFORE))
    assert not decided.is_decided(make.genbiaseval())
    record = make.verification()
    assert decided.pair(record) is None
    both = dataclasses.replace(
        record,
        before=(*record.before, _measured(BEFORE)),
        after=(*record.after, _measured(AFTER)),
    )
    found = decided.pair(both)
    assert found is not None
    assert found[1].scores == AFTER


def test_plot_and_table_say_the_same() -> None:
    rows = decided.rows(_measured(BEFORE), _measured(AFTER))
    drawn = figures.decided(rows)
    assert [trace["y"] for trace in drawn["data"]] == [pytest.approx([0.8, 0.5, 0.4, 0.1]), [0.6] * 4]
    assert drawn["layout"]["xaxis"]["ticktext"][0] == "deserve it<br>as male"
    assert decided.table(rows).rows[0][:2] == ("deserve it", "male")
    alone = figures.decided(decided.rows(_measured(BEFORE)))
    assert [trace["name"] for trace in alone["data"]] == ["before"]
    assert len(decided.table(decided.rows(_measured(BEFORE))).head) == 4


def test_a_report_of_decisions_shows_people_instead_of_professions() -> None:
    record = dataclasses.replace(make.verification(), before=(_measured(BEFORE),), after=(_measured(AFTER),))
    for page in (reports.verification_html(record), reports.measurements_html([_measured(BEFORE)])):
        assert "The same people as members of each group" in page
        assert "nothing to draw" not in page
    assert "The same people as members" not in reports.verification_html(make.verification())
