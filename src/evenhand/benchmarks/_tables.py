"""Reading a benchmark's CSV and JSON lines: every problem of a file at once, with line and column."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evenhand.errors import BadData

_SHOWN = 20


class Problems:
    """What is wrong with one file, collected until all of it has been read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, what: str, column: str = "") -> None:
        """Note a problem on a line, in a column if it is of one."""
        where = f"line {line}, column {column!r}" if column else f"line {line}"
        self._found.append((line, f"{where}: {what}"))

    @property
    def count(self) -> int:
        """How many there are so far."""
        return len(self._found)

    def one_of(self, line: int, row: Mapping[str, Any], column: str, allowed: Collection[str]) -> None:
        """Note a problem unless the row's value in `column` is allowed."""
        if row[column] not in allowed:
            self.add(line, f"{row[column]!r} is none of {', '.join(allowed)}", column)

    def raise_any(self) -> None:
        """Nothing, if there are none.

        Raises:
            BadData: names the file, the first problems with their places, and the count of all.
        """
        if not self._found:
            return
        more = len(self._found) - _SHOWN
        in_order = [text for _, text in sorted(self._found, key=lambda found: found[0])]
        listed = "; ".join(in_order[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise BadData(f"{self._path} cannot be used: {listed}.", mend="Mend these lines and run again.")


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte-order mark.

    Raises:
        BadData: there is no such file, it cannot be read, it is not UTF-8, or it is empty.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadData(
            f"{path} is not UTF-8 text: byte {error.start} cannot be read.",
            mend=f"Convert it, for example with: iconv -f LATIN1 -t UTF-8 {path} > converted",
        ) from None
    except OSError as error:
        raise BadData(
            f"{path} cannot be read: {error.strerror}.", mend="Name a readable file with file=."
        ) from None
    if not text.strip():
        raise BadData(f"{path} is empty.", mend="Name a file with data in it.")
    return text


def read_csv(path: Path, needed: Sequence[str]) -> tuple[list[tuple[int, dict[str, str]]], Problems]:
    """The rows of a CSV file with a header, each with the line where it ends, cells without outer spaces.

    Rows that lack a cell, or have one too many, or an empty needed one, are left out and noted in the
    `Problems`, which the caller raises after checks of its own.

    Raises:
        BadData: unreadable (see `read_text`), no such columns, or no CSV at all.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    problems = Problems(path)
    rows = []
    try:
        _check_columns(path, reader.fieldnames or (), needed)
        for row in reader:
            if _complete(row, needed, reader.line_num, problems):
                rows.append((reader.line_num, {key: value.strip() for key, value in row.items()}))
    except csv.Error as error:
        problems.add(reader.line_num, f"this is not CSV ({error})")
    if reader.line_num < 2:
        problems.add(1, "no rows follow the header")
    return rows, problems


def _check_columns(path: Path, found: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in found]
    if missing:
        raise BadData(
            f"{path} has no column {', '.join(map(repr, missing))}; its header is {', '.join(found)}.",
            mend=f"Give a CSV file whose first line names at least: {', '.join(needed)}.",
        )


def _complete(row: Mapping[Any, Any], needed: Sequence[str], line: int, problems: Problems) -> bool:
    if None in row:
        problems.add(line, "more cells than the header has")
        return False
    if None in row.values():
        problems.add(line, "fewer cells than the header has")
        return False
    empty = [name for name in needed if not row[name].strip()]
    for name in empty:
        problems.add(line, "is empty", name)
    return not empty


def read_jsonl(path: Path) -> tuple[list[tuple[int, dict[str, Any]]], Problems]:
    """The objects of a JSON-lines file, each with its line; what is no object is noted in the `Problems`.

    Raises:
        BadData: unreadable (see `read_text`).
    """
    problems = Problems(path)
    return list(_objects(read_text(path), problems)), problems


def _objects(text: str, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except json.JSONDecodeError as error:
            problems.add(number, f"this is not JSON ({error.msg} at column {error.colno})")
            continue
        if isinstance(found, dict):
            yield number, found
        else:
            problems.add(number, "this is not a JSON object")
