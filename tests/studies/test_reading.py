"""How a table is read: numbers and moments out of columns of every type, and the shares of a baseline."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("ibis")

from evenhand import audit
from evenhand.errors import BadData, BadOption
from evenhand.frames import opened
from evenhand.frames.values import number
from evenhand.studies.reading import _years, baselines, numeric

FRAME = pd.DataFrame(
    {
        "text": ["1", " 2.5\u00a0", "1e3", "?", None],
        "whole": [1, 2, 3, 4, 5],
        "truth": [True, False, True, False, True],
        "day": [datetime.date(1999, 12, 31)] * 4 + [None],
        "moment": pd.to_datetime(["1999-12-31 23:59:59"] * 4 + [None]),
        "written": ["1999-12-31", " 2000-01-01 00:00:01", "\u00a01960-02-29", "soon", None],
    }
)


def values(made: Any) -> list[Any]:
    return [one.as_py() for one in made.name("made").to_pyarrow().combine_chunks()]


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ("text", [1.0, 2.5, 1000.0, None, None]),
        ("whole", [1.0, 2.0, 3.0, 4.0, 5.0]),
        ("truth", [1.0, 0.0, 1.0, 0.0, 1.0]),
    ],
)
def test_numbers_are_read_out_of_a_column(column: str, wanted: list[float | None]) -> None:
    frame = opened(FRAME)
    assert values(numeric(frame, frame.table[column])) == wanted


@pytest.mark.parametrize("column", ["day", "moment"])
def test_dates_are_no_numbers(column: str) -> None:
    frame = opened(FRAME)
    with pytest.raises(BadOption, match=f"{column} of the data frame holds no numbers"):
        numeric(frame, frame.table[column])


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ("day", [1999] * 4 + [None]),
        ("moment", [1999] * 4 + [None]),
        ("written", [1999, 2000, 1960, None, None]),
    ],
)
def test_years_are_read_out_of_a_column(column: str, wanted: list[int | None]) -> None:
    frame = opened(FRAME)
    assert values(_years(frame, frame.table[column])) == wanted


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2000-12-31 23:30:00-02:00", 2000),  # by the clock of UTC it is 2001
        ("2001-01-01T00:30:00+02:00", 2001),
        ("2001-01-01T00:30:00 Europe/Berlin", 2001),
        ("1999/1/2", 1999),
        ("2000-02-29", 2000),
        ("1900-02-29", None),
        ("2001-04-31", None),
        ("0000-01-01", None),
        ("2001-01-01T24:00", None),
        ("10:30", None),
        ("infinity", None),
        ("20010101", None),
    ],
)
def test_the_year_of_a_text_is_the_one_that_is_written(text: str, year: int | None) -> None:
    frame = opened(pd.DataFrame({"x": [text]}))
    assert values(_years(frame, frame.table["x"])) == [year]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1e-120", 1e-120),
        ("9.5e299", 9.5e299),
        ("inf", None),
        ("nan", None),
        ("1_000", None),
        ("1e400", None),
        ("9999999999e299", None),
        ("1" * 299 + "e99", None),
        ("999999999e299", 999999999e299),
        ("٣", None),
        ("0x10", None),
        (" -.5\ufeff", -0.5),
    ],
)
def test_numbers_of_texts_are_finite_and_the_same_in_python(text: str, wanted: float | None) -> None:
    frame = opened(pd.DataFrame({"x": [text]}))
    assert values(numeric(frame, frame.table["x"])) == [wanted]
    assert number(text) == wanted


@pytest.mark.parametrize("column", ["whole", "truth"])
def test_numbers_are_no_dates(column: str) -> None:
    frame = opened(FRAME)
    with pytest.raises(BadOption, match=f"{column} of the data frame holds no dates"):
        _years(frame, frame.table[column])


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("group,share\nf,0.6\nm,0.4\n", {"f": 0.6, "m": 0.4}),
        ("group,count\nf,30\n m ,20\n", {"f": 0.6, "m": 0.4}),
        ("n,group\n3,f\n2,m\n", {"f": 0.6, "m": 0.4}),
    ],
)
def test_a_baseline_may_be_a_file(text: str, shares: dict[str, float], tmp_path: Path) -> None:
    (tmp_path / "census.csv").write_text(text)
    assert baselines(str(tmp_path / "census.csv"), ["sex"]) == {"sex": shares}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("group,count\nf,300\nf,200\nm,500\n", "names a group twice: 'f'"),
        ("group,share\nf,0.5\n,0.5\n", "names no group"),
        ("share,group\n0.5\n0.5,m\n", "names no group"),
        ("group,share\nf\nm,0.5\n", "a share that is no number"),
        ("group,count\nf,0\n", "sum to 0"),
        ("sex,share\nf,1\n", "no columns group and share"),
        ("", "is empty"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "census.csv").write_text(text)
    with pytest.raises((BadData, BadOption), match=told):
        baselines(str(tmp_path / "census.csv"), ["sex"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("f=0.2,f=0.5,m=0.5", "The baseline of sex names a group twice: 'f'"),
        ("sex:f=0.5,m=0.5;sex:f=0.4,m=0.6", "names the column sex twice"),
        ("f=0.5,m=0.5;f=0.4,m=0.6", "names the column sex twice"),
    ],
)
def test_what_a_baseline_names_it_names_once(text: str, told: str) -> None:
    frame = pd.DataFrame({"sex": ["f", "m"] * 10})
    with pytest.raises(BadOption, match=told):
        audit(frame, "sex", baseline=text)
