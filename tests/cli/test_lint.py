"""``evenhand lint``: faults as JSON and for people, and the exit codes."""

from __future__ import annotations

from pathlib import Path

FAULTY = "model,dpd,deo\nx,.10,.20\ny,.30,.20\n"
CLEAN = "model,dpd,deo\nx,.10,.20\ny,.20,.30\n"


def write(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")


def test_faults_as_json(run) -> None:
    write("faulty.csv", FAULTY)
    write("clean.csv", CLEAN)
    answer = run("lint", "clean.csv", "faulty.csv", "--json")
    assert answer.code == 1
    (fault,) = answer.json["faults"]
    assert {key: fault[key] for key in ("table", "kind", "rows", "columns")} == {
        "table": "faulty.csv",
        "kind": "dpd_above_deo",
        "rows": [2],
        "columns": ["dpd", "deo"],
    }
    assert fault["why"].startswith("row 2 (y): DPD 0.30 is above DEO 0.20.")
    assert answer.json["tables"]["clean.csv"] == {"model": "figure", "dpd": "dpd", "deo": "deo"}


def test_for_people(run) -> None:
    write("faulty.csv", FAULTY)
    answer = run("lint", "faulty.csv")
    assert answer.code == 1
    assert "faulty.csv: dpd_above_deo: row 2 (y)" in answer.out
    assert "1 table, 2 rows: 1 dpd_above_deo." in answer.out


def test_a_clean_table(run) -> None:
    write("clean.csv", CLEAN)
    answer = run("lint", "clean.csv", "--json")
    assert (answer.code, answer.json["faults"]) == (0, [])
    assert "no fault found" in run("lint", "clean.csv").out


def test_columns_by_name(run) -> None:
    write("t.csv", FAULTY.replace("dpd,deo", "one,two"))
    assert run("lint", "t.csv").code == 0
    assert run("lint", "t.csv", "--columns", "dpd=one", "--columns", "deo=two").code == 1


def test_mistakes(run) -> None:
    write("t.csv", FAULTY)
    assert run("lint", "nothing.csv").code == 2
    assert "is not MEANING=COLUMN" in run("lint", "t.csv", "--columns", "dpd").err
    assert "no column named 'three'" in run("lint", "t.csv", "--columns", "dpd=three").err
    assert "no meaning of a column named 'dp'" in run("lint", "t.csv", "--columns", "dp=dpd").err
