"""Audits of public data: Adult with and without its label fault, and 68 published bias audits."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

pytest.importorskip("ibis")

from evenhand import audit, sources
from evenhand.linting.impact_ratios import Standing, judged_tables
from evenhand.people import adult
from tests.support.data import data_file


def _ll144() -> Path:
    """The part of the ACLU's collection that lies beside the clone; it is no data of a benchmark."""
    path = Path(os.environ.get(sources.VARIABLE, "")) / "ll144" / "audits_part.csv"
    if not path.is_file():
        pytest.skip("ll144/audits_part.csv is not on this machine")
    return path


@pytest.fixture(scope="module")
def literal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both halves of Adult as one CSV file, the labels as they are written."""
    path = tmp_path_factory.mktemp("adult") / "adult.csv"
    lines = [",".join(adult.COLUMNS)]
    for name in adult.FILES:
        lines += [line for line in data_file(name).read_text().splitlines() if line.count(",") == 14]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_adult_with_the_label_fault(literal) -> None:
    # ">50K" alone: 7841 of 48 842, (48842 - 7841) / 7841 = 5.229; 6662/32650 - 1179/16192 = .1312
    found = audit(
        str(literal), "sex", "income", positive=[">50K"], audits=["label_balance", "label_rates", "spellings"]
    )
    assert round(found.of("label_balance")[0].effect, 2) == 5.23
    assert round(found.of("label_rates")[0].effect, 4) == 0.1312
    told = found.of("spellings")[0]
    assert told.columns == ("income",)
    assert "'>50K.'" in told.finding
    assert "Only '>50K' count as favourable now" in told.finding


def test_adult_with_its_labels_mended(literal) -> None:
    found = audit(
        str(literal), "sex", "income", positive=[">50K", ">50K."], audits=["label_balance", "label_rates"]
    )
    assert round(found.of("label_balance")[0].effect, 2) == 3.18
    by_sex = found.of("label_rates")[0]
    assert round(by_sex.effect, 4) == 0.1945
    # Newcombe's interval of two independent rates of 32650 and 16192 people
    assert by_sex.low == pytest.approx(0.1874, abs=2e-4)
    assert by_sex.high == pytest.approx(0.2015, abs=2e-4)


def test_adults_question_marks_are_missing_values(literal) -> None:
    found = audit(str(literal), "sex", audits=["missingness"])
    assert {one.columns[1] for one in found.of("missingness")} == {"workclass", "occupation", "country"}


@pytest.fixture(scope="module")
def published() -> list:
    with _ll144().open(encoding="utf-8") as file:
        return judged_tables(list(csv.DictReader(file)))


def test_published_tables_stand_as_counted(published) -> None:
    counts = {standing: sum(one.standing is standing for one in published) for standing in Standing}
    assert len(published) == 317
    assert counts == {
        Standing.COUNTS: 66,
        Standing.RATES: 4,
        Standing.ROUNDED: 103,
        Standing.INTERLEAVED: 132,
        Standing.CONTRADICTED: 9,
        Standing.EMPTY: 3,
    }


def test_every_ratio_above_one_is_named(published) -> None:
    with _ll144().open(encoding="utf-8") as file:
        above = [
            row
            for row in csv.DictReader(file)
            if row["impact_ratio"] != "NA" and float(row["impact_ratio"]) > 1
        ]
    assert sum(len(one.above_one) for one in published) == len(above) == 174


def test_tables_of_several_thresholds_are_not_blamed(published) -> None:
    mixed = [one for one in published if one.standing is Standing.INTERLEAVED]
    assert all("hirevue" in one.name for one in mixed)
    assert not any(one.contradictions for one in mixed)
    blamed = [one.name for one in published if one.standing is Standing.CONTRADICTED]
    assert not any("hirevue" in name for name in blamed)
    # A typing error of the auditor's: 225 773 of 396 093 is .57, beside a printed ratio of .87
    assert any(name.startswith("phenom") and name.endswith("intersectional") for name in blamed)


def test_the_audit_says_it_in_findings() -> None:
    found = audit(str(_ll144()), profile="ll144")
    told = " ".join(one.finding for one in found.findings)
    assert "317 tables. 66: its counts give the printed ratios" in told
    assert "174 printed ratios are above 1" in told
