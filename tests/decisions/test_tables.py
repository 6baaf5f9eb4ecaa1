"""A user's own table and task file: read from CSV, parquet and data frames, every problem named at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from evenhand.decisions import tables
from evenhand.errors import BadData, BadOption, UnknownName
from tests.support.crowd import TASK, rows

FILE = """
name = "loan"
table = "people.csv"
template = "{job}, {age}, {sex}, from {town}. Granted:"
target = "granted"
positive = ["1"]
labels = [" no", " yes"]
attribute = "sex"
groups = ["m", "f"]
missing = "not said"
blanks = ["unknown"]
"""
ROWS = [
    *rows(30),
    {"job": "nurse", "age": None, "sex": "f", "town": "unknown", "granted": 1},
    {"job": "nurse", "age": 30, "sex": "m", "town": "NA", "granted": 0},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frame = pd.DataFrame(ROWS)
    frame.to_csv(tmp_path / "people.csv", index=False)
    frame.to_parquet(tmp_path / "people.parquet")
    (tmp_path / "task.toml").write_text(FILE, encoding="utf-8")
    (tmp_path / "task2.toml").write_text(FILE.replace(".csv", ".parquet"), encoding="utf-8")
    return tmp_path


def test_csv_parquet_and_a_data_frame_give_the_same_people(folder: Path) -> None:
    csv, parquet = (tables.from_file(folder / name) for name in ("task.toml", "task2.toml"))
    assert csv == parquet
    frame = tables.from_frame(csv.task, pd.DataFrame(ROWS))
    assert frame.people == csv.people
    assert csv.task.group_names == ("m", "f")
    assert len(csv.people) == 32


def test_missing_cells_are_said_as_such(folder: Path) -> None:
    people = tables.from_file(folder / "task.toml").people
    assert people[30].shown == {"job": "nurse", "age": "not said", "sex": "f", "town": "not said"}
    assert people[31].shown["town"] == "NA"  # a value like any other: the file names what is blank


def test_changes_replace_what_the_file_says(folder: Path) -> None:
    found = tables.from_file(folder / "task.toml", attribute="job", groups=[], labels=[" 0", " 1"])
    assert set(found.task.group_names) == {"nurse", "smith", "baker"}
    assert found.task.labels == (" 0", " 1")
    both = tables.from_file(folder / "task.toml", attribute="sex*job", groups=["m*nurse", "f * smith"])
    assert both.task.groups == (("m", "nurse"), ("f", "smith"))


def test_all_problems_of_a_task_file_at_once(folder: Path) -> None:
    path = folder / "bad.toml"
    path.write_text('table = 3\nlabels = "no"\ntemplte = "x"\ntarget = "granted"\n', encoding="utf-8")
    with pytest.raises(BadData) as found:
        tables.from_file(path)
    said = (
        "'template' is missing",
        "'attribute' is missing",
        "'templte' means nothing",
        "'table' is not a text",
    )
    for each in (*said, "'labels' is not a list of texts", str(path)):
        assert each in found.value.what


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("people.csv", "nowhere.csv", BadData, "does not exist"),
        ("people.csv", "task.toml", BadData, "cannot be read|has no rows|column"),
        ('" yes"', '" no"', BadOption, "both label words"),
        ('"granted"', '"grantd"', UnknownName, "Did you mean 'granted'"),
        ('["1"]', '["2"]', BadData, "never positive"),
        ('"sex"', '"sx"', BadOption, r"did you mean 'sex'\?"),
        ("name = ", "name ", BadData, "is not TOML"),
        ("name = ", f"name = {'[' * 100_000}", BadData, r"task\.toml is nested too deeply"),
        (
            "name = ",
            f"blanks = {'9' * 5000}\nname = ",
            BadData,
            r"task\.toml is not readable: it has a number",
        ),
    ],
)
def test_bad_files_are_refused(folder: Path, old: str, new: str, error: type[Exception], said: str) -> None:
    path = folder / "task.toml"
    path.write_text(FILE.replace(old, new), encoding="utf-8")
    with pytest.raises((error, UnknownName) if "task.toml" in new else error, match=said):
        tables.from_file(path)


def test_a_wrong_encoding_and_a_missing_task_file_are_refused(folder: Path) -> None:
    (folder / "people.csv").write_bytes("job,age,sex,town,granted\nFräser,1,m,T,1\n".encode("latin-1"))
    with pytest.raises(BadData, match="cannot be read"):
        tables.from_file(folder / "task.toml")
    with pytest.raises(BadData, match="cannot be read"):
        tables.from_file(folder / "none.toml")
    (folder / "latin.toml").write_bytes(b'name = "\xe4"')
    with pytest.raises(BadData, match="not TOML"):
        tables.from_file(folder / "latin.toml")


def test_the_example_of_the_docstring_is_a_task_file(tmp_path: Path) -> None:
    lines = (tables.__doc__ or "").partition("::\n")[2].splitlines()
    (tmp_path / "credit.toml").write_text("\n".join(line.strip() for line in lines), encoding="utf-8")
    table = [
        {"job": "smith", "age": age, "sex": sex, "approved": said}
        for age in (30, 40)
        for sex in ("male", "female")
        for said in ("yes", "unknown", "0")
    ]
    pd.DataFrame(table).to_csv(tmp_path / "people.csv", index=False)
    found = tables.from_file(tmp_path / "credit.toml")
    assert (found.task.name, len(found.people)) == ("credit", 8)
    assert sum(p.label for p in found.people) == 4
    assert TASK.separator == found.task.separator
