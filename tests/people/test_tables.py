"""A user's own table and task file: read from CSV, parquet and data frames, every problem named at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from evenhand.errors import BadData, BadOption, UnknownName
from evenhand.people import tables
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
        "'templte' is no key of a task file",
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


def task_of(folder: Path, data: str | bytes, *lines: str, replaced: tuple[str, str] = ("", "")) -> Path:
    """A task file with more lines, beside a table of those bytes."""
    (folder / "people.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    (folder / "own.toml").write_text(FILE.replace(*replaced) + "\n".join(lines) + "\n", encoding="utf-8")
    return folder / "own.toml"


HEADER = "job,age,sex,town,granted\n"
BOTH = "nurse,20,m,T,1\nnurse,30,f,T,0\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (HEADER + BOTH + "baker,30,m,T,1,\n" * 9, r"lines 4, 5, 6, 7, 8 and 4 more: more cells .* 6 cells"),
        (HEADER + BOTH + '"ba\nker",30,m,T,1\nbaker,30,m,T\n', r"line 6: fewer cells .* 4 cells, and .* 5"),
        ("job,age,sex,sex,granted\n" + BOTH, "'sex' 2 times"),
        ("job;age;sex;town;granted\n" + BOTH, "separated by semicolons"),
        (HEADER.replace("\n", "\r") + BOTH.replace("\n", "\r"), "carriage returns alone"),
        ("", "is empty"),
        (HEADER, "has no rows"),
        (HEADER + BOTH.replace("\n", "\r\n"), None),
        ("\ufeff" + HEADER + BOTH, None),
        ("job, age ,sex,town,granted\n" + BOTH, None),
    ],
)
def test_a_table_is_read_as_it_was_meant_or_refused(tmp_path: Path, data: str, said: str | None) -> None:
    path = task_of(tmp_path, data)
    if said is None:
        assert [p.shown["age"] for p in tables.from_file(path).people] == ["20", "30"]
        return
    with pytest.raises(BadData, match=said) as found:
        tables.from_file(path)
    assert "people.csv" in found.value.what


def test_parquet_and_frames_keep_decimals_bytes_and_whole_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "job": pd.Series([b"nurse", b"smith", None], dtype=object),
            "age": pd.Series([20, None, 30], dtype="Int64"),
            "sex": ["m", "f", "f"],
            "town": pd.Series([2.1, 0.3, None], dtype="float32"),
            "granted": pd.Series([1.0, 0.0, None]),
        }
    )
    shown = [
        {"job": "nurse", "age": "20", "sex": "m", "town": "2.1"},
        {"job": "smith", "age": "not said", "sex": "f", "town": "0.3"},
    ]
    path = task_of(tmp_path, "", replaced=("people.csv", "people.parquet"))
    frame.to_parquet(tmp_path / "people.parquet")
    found = tables.from_file(path)
    assert [p.shown for p in found.people] == shown
    for town in ("float32", "Float32", pd.ArrowDtype(__import__("pyarrow").float32())):
        own = tables.from_frame(found.task, frame.assign(town=frame["town"].astype(town)))
        assert own.people == found.people
    with pytest.raises(BadData, match="The header of the data frame has a column name more than once: 'sex'"):
        tables.from_frame(found.task, frame.rename(columns={"town": "sex "}))
    with pytest.raises(BadData, match=r"column 'job' of loans holds bytes .* row 1"):
        tables.from_frame(found.task, frame.assign(job=[b"\xff", b"a", b"b"]), of="loans")


def test_an_index_of_a_frame_is_a_column_of_its_parquet_file(tmp_path: Path) -> None:
    frame = pd.DataFrame(rows(20)).set_index("sex")
    frame.to_parquet(tmp_path / "people.parquet")
    path = task_of(tmp_path, "", replaced=("people.csv", "people.parquet"))
    assert len(tables.from_file(path).people) == 20


def test_groups_may_say_what_belongs_together(tmp_path: Path) -> None:
    data = HEADER + BOTH + "nurse,40,Man,T,0\nnurse,50,x,T,0\n"
    path = task_of(
        tmp_path, data, 'groups = {m = ["m", "Man"], f = ["f"]}', replaced=('groups = ["m", "f"]', "")
    )
    found = tables.from_file(path)
    assert found.task.group_names == ("m", "f")
    assert [p.group for p in found.people] == [0, 1, 0]
    assert found.task.render(found.people[2].shown, 0) == "nurse, 40, m, from T. Granted:"
    assert found.remarks() == ["1 row was left out: sex is none of m, f, but 'x' (1)."]


def test_bins_and_negative_in_a_task_file(tmp_path: Path) -> None:
    data = HEADER + BOTH + "nurse,40,m,T,2\n"
    ages = task_of(
        tmp_path, data, "bins = [25, 30]", 'negative = ["0"]', replaced=('groups = ["m", "f"]', "")
    )
    ages.write_text(ages.read_text().replace('"sex"', '"age"'))
    found = tables.from_file(ages)
    assert found.task.group_names == ("<25", "30+")
    assert len(found.people) == 2
    assert tables.from_file(ages, attribute="sex", groups=[]).task.bins == ()  # they were the age's
    both = task_of(tmp_path, data, "bins = {age = [30]}", 'negative = ["0"]')
    crossed = tables.from_file(both, attribute="sex*age", groups=[])
    assert crossed.task.group_names == ("f&30+", "m&<30")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bins = 25", "'bins' is neither a list of numbers"),
        ('bins = ["a"]', "'bins' is neither a list of numbers"),
        ("bins = {age = 3}", "'bins' is neither a list of numbers"),
        ("bins = [30, 20]", "each above the last"),
        ("bins = {town = [1]}", "bins for 'town', which is not in the attribute"),
        ('groups = {m = "m"}', "'groups' is neither a list of texts nor a table of such lists"),
    ],
)
def test_lists_that_cannot_be_are_refused(tmp_path: Path, line: str, said: str) -> None:
    path = task_of(tmp_path, HEADER + BOTH, line, replaced=('groups = ["m", "f"]', ""))
    with pytest.raises((BadData, BadOption), match=said) as found:
        tables.from_file(path)
    assert "own.toml" in found.value.what
