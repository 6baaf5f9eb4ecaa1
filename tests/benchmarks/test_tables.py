"""Reading tables: rows with their lines, problems in order and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.benchmarks._tables import Problems, read_csv, read_jsonl
from evenhand.errors import BadData


def write(folder: Path, text: str) -> Path:
    place = folder / "table"
    place.write_text(text, encoding="utf-8")
    return place


def test_a_csv_row_knows_the_line_where_it_begins(tmp_path: Path) -> None:
    rows, problems = read_csv(write(tmp_path, 'a,b\n1, two \n"3\nand",4\n'), ["a"])
    assert rows == [(2, {"a": "1", "b": "two"}), (3, {"a": "3\nand", "b": "4"})]
    problems.raise_any()


def test_a_cell_that_nobody_needs_may_be_empty(tmp_path: Path) -> None:
    rows, problems = read_csv(write(tmp_path, "a,b\n1,\n ,2\n"), ["a"])
    assert rows == [(2, {"a": "1", "b": ""})]
    with pytest.raises(BadData, match="line 3, column 'a': is empty"):
        problems.raise_any()


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "a,b\n\n\r\n"])
def test_a_header_alone_is_a_problem(tmp_path: Path, text: str) -> None:
    rows, problems = read_csv(write(tmp_path, text), ["a"])
    assert rows == []
    with pytest.raises(BadData, match="line 1: no rows follow the header"):
        problems.raise_any()


def test_problems_come_in_the_order_of_lines_and_are_counted(tmp_path: Path) -> None:
    problems = Problems(tmp_path / "table")
    for line in range(30, 0, -1):
        problems.add(line, "wrong")
    assert problems.count == 30
    with pytest.raises(BadData) as caught:
        problems.raise_any()
    assert "table cannot be used: line 1: wrong; line 2: wrong;" in caught.value.what
    assert caught.value.what.endswith("line 20: wrong; and 10 more.")


def test_json_lines(tmp_path: Path) -> None:
    rows, problems = read_jsonl(write(tmp_path, '\ufeff{"a": 1}\n\n{"a": 2}\r\n'))
    assert rows == [(1, {"a": 1}), (3, {"a": 2})]
    problems.raise_any()


def test_a_number_that_nothing_can_hold_is_named(tmp_path: Path) -> None:
    rows, problems = read_jsonl(write(tmp_path, "1" * 5000 + '\n{"a": 1}\n'))
    assert rows == [(2, {"a": 1})]
    with pytest.raises(BadData, match="line 1: not readable"):
        problems.raise_any()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="cannot be read"):
        read_jsonl(tmp_path)


def test_a_header_of_many_columns_is_not_told_whole(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"column{i}" for i in range(100_002)) + "\n", encoding="utf-8")
    with pytest.raises(BadData, match=r"'column0', 'column1', .* and 99982 more") as found:
        read_csv(path, ("text",))
    assert len(str(found.value)) < 2000
