"""The professions: every entry, both readings of the published filter, exact counts."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from evenhand.errors import UnknownName
from evenhand.lexicons import profession_entries, professions
from tests.support.data import data_file

CASE_STUDY = {"mobster", "nurse", "preacher", "caretaker", "footballer"}


def test_classes_of_removal_add_up() -> None:
    counts = Counter(entry.status for entry in profession_entries())
    # 21 + 7 + 13 + 17 = 58 removed of 320.
    assert counts == {"kept": 262, "A": 21, "B1": 7, "B2": 13, "C": 17}


@pytest.mark.parametrize("reading", ["occupation", "multiword"])
def test_each_reading_keeps_262_and_explains_58(reading) -> None:
    kept = professions(reading)
    removed = [entry for entry in profession_entries() if entry.why_removed(reading)]
    assert (len(kept), len(removed)) == (262, 58)
    assert [entry.name for entry in kept] == sorted({entry.name for entry in kept})
    assert {entry.name for entry in kept} >= CASE_STUDY
    assert all(entry.why_removed(reading) is None for entry in kept)


def test_multiword_reading_is_29_and_28_and_waiter() -> None:
    removed = [entry for entry in profession_entries() if entry.why_removed("multiword")]
    assert sum(" " in entry.name for entry in removed) == 29
    assert sum(entry.status in ("A", "B1") for entry in removed) == 28
    rest = [e for e in removed if " " not in e.name and e.status not in ("A", "B1")]
    assert [entry.name for entry in rest] == ["waiter"]
    # The documented reason for "waiter": the only entry left with a factual score of 1.
    left = [e.name for e in profession_entries() if e.status not in ("A", "B1") and e.factual == 1]
    assert left == ["waiter"]


def test_the_readings_differ_where_they_should() -> None:
    first, second = ({entry.name for entry in professions(r)} for r in ("occupation", "multiword"))
    assert {"registered nurse", "taxi driver", "solicitor general"} <= first - second
    assert {"actor", "butler", "citizen", "nanny"} <= second - first


def test_scores_of_known_entries() -> None:
    table = {entry.name: (entry.factual, entry.stereotypical) for entry in profession_entries()}
    assert table["accountant"] == (0.0, 0.4)
    assert table["homemaker"] == (-0.1, -0.9)
    assert table["assassin"] == (0.1, 0.8)


def test_names_are_plain_text() -> None:
    for entry in profession_entries():
        assert entry.name == " ".join(entry.name.split()).lower()
        assert "_" not in entry.name
        assert abs(entry.factual) <= 1
        assert abs(entry.stereotypical) <= 1


def test_the_data_agree_with_the_source() -> None:
    source = json.loads(data_file("debiaswe/professions.json").read_text())
    rows = [(name.replace("_", " "), f, s) for name, f, s in source]
    assert [(e.name, e.factual, e.stereotypical) for e in profession_entries()] == rows


def test_an_unknown_reading_lists_both() -> None:
    with pytest.raises(UnknownName, match="occupation"):
        professions("ocupation")  # type: ignore[arg-type]
