"""Tables read strictly: no cell is shifted, no column taken for another, no number or text respelt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evenhand.errors import BadData
from evenhand.tables import plain_values, read_delimited, read_parquet


def write(folder: Path, text: str | bytes) -> Path:
    place = folder / "t.csv"
    place.write_bytes(text.encode() if isinstance(text, str) else text)
    return place


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,b\n1,2,\n", (2, "3 cells, and the header has 2 (the line ends with a separator too many)")),
        ("a,b\n1,2\n1,2,3\n", (3, "3 cells, and the header has 2 (quote a cell")),
        ("a,b\n1\n", (2, "1 cell, and the header has 2")),
        ('a,b\n"x\ny",2\n\n3\n', (5, "1 cell, and the header has 2")),  # line 5 of the file, row 3
        ('a,b\n1,2\n"3\n,4\n', (3, "a quotation mark opens here and never closes")),
        ('a,b\n"1"2,3\n', (2, "this is not CSV")),
        ("a,b\n1,2\r3,4\n", (2, "a carriage return stands within a line")),
        ("a,b\n1,2\n   \n", (3, "1 cell, and the header has 2")),
    ],
)
def test_a_row_that_does_not_fit_the_header_is_told_with_its_line(tmp_path: Path, text, problem) -> None:
    table = read_delimited(write(tmp_path, text))
    ((line, what),) = table.problems
    assert line == problem[0]
    assert problem[1] in what


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_marks_and_line_ends(tmp_path: Path, mark: str, end: str) -> None:
    table = read_delimited(write(tmp_path, mark + end.join(("a, b ", "1,", '"x, y",z')) + end))
    assert table.columns == ("a", "b")
    assert table.rows == ((2, {"a": "1", "b": ""}), (3, {"a": "x, y", "b": "z"}))
    assert table.problems == ()


def test_a_cell_may_hold_what_other_programs_end_lines_at(tmp_path: Path) -> None:
    text = "x\u2028y\x0cz\x85w\x1e"
    assert read_delimited(write(tmp_path, f"a,b\n{text},1\n")).rows == ((2, {"a": text, "b": "1"}),)


@pytest.mark.parametrize("header", ["a,b,a", "a, a", '"a ",b,a'])
def test_a_column_name_that_stands_twice_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(BadData, match=r"The header of .* has a column name more than once: 'a' 2 times"):
        read_delimited(write(tmp_path, header + "\n"))


def test_columns_without_a_name(tmp_path: Path) -> None:
    assert read_delimited(write(tmp_path, ",a\n0,1\n")).rows == ((2, {"": "0", "a": "1"}),)
    assert read_delimited(write(tmp_path, "a,,\n0,1,2\n")).rows == ((2, {"a": "0"}),)


@pytest.mark.parametrize(("sign", "called"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_another_separator_is_named(tmp_path: Path, sign: str, called: str) -> None:
    with pytest.raises(BadData, match=f"separated by {called}.*Save it as CSV"):
        read_delimited(write(tmp_path, sign.join("abc") + f"\n1,5{sign}2{sign}3\n"))


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "is empty"), (b"\xef\xbb\xbf\n", "is empty"), (b"a,b\r1,2\r", "carriage returns alone")],
)
def test_files_without_lines_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(BadData, match=said):
        read_delimited(write(tmp_path, data))


def test_parquet_gives_what_was_meant(tmp_path: Path) -> None:
    place = tmp_path / "t.parquet"
    columns = {
        "sex": pa.array([b"male", "weiblich ü".encode(), None], pa.binary()),
        "rate": pa.array([2.1, 0.3, None], pa.float32()),
        "age": pa.array([20, None, 2**53 + 1], pa.int64()),
        "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), place)
    assert read_parquet(place) == [
        {"sex": "male", "rate": 2.1, "age": 20, "kind": "x"},
        {"sex": "weiblich ü", "rate": 0.3, "age": None, "kind": "y"},
        {"sex": None, "rate": None, "age": 2**53 + 1, "kind": "x"},
    ]


def test_parquet_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "t.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a "]), place)
    with pytest.raises(BadData, match=r"t\.parquet has a column name more than once: 'a' 2 times"):
        read_parquet(place)
    pq.write_table(pa.table({"sex": [b"m", b"\xff\xfe"]}), place)
    with pytest.raises(
        BadData, match=r"column 'sex' of .*t\.parquet holds bytes that are not UTF-8 .* row 2"
    ):
        read_parquet(place)
    place.write_bytes(b"PAR1")
    with pytest.raises(BadData, match="cannot be read as parquet"):
        read_parquet(place)


def test_the_names_of_a_partitioned_folder_are_no_columns(tmp_path: Path) -> None:
    (tmp_path / "sex=male").mkdir()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "sex=male" / "t.parquet")
    assert read_parquet(tmp_path / "sex=male" / "t.parquet") == [{"a": 1}]


def test_half_precision_has_its_own_shortest_decimals() -> None:
    values = plain_values([np.float16(2.1), np.float32(2.1), 2.1, None, "2.1"], "x")
    assert values == [2.1, 2.1, 2.1, None, "2.1"]
