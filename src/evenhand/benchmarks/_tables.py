"""Reading a benchmark's CSV and JSON lines: every problem of a file at once, with line and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from evenhand.errors import BadData, BadOption, listed
from evenhand.files import json_object, read_text

Data = Literal["official", "lab"]
_FILE = "Name a readable file with file=."


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a benchmark's items are from, and their licence."""

    source: str
    licence: str


OWN = Origin("the user's own items", "the user's own")
LAB = Origin("evenhand.lab.pairs: sentences that follow the bias planted in the lab's models", "Apache-2.0")


def origin(name: str, file: str, data: Data, official: Origin) -> Origin:
    """Where the items of the benchmark `name` come from, with these options of it.

    Raises:
        BadOption: both a file and the lab's items are asked for.
    """
    if file and data == "lab":
        raise BadOption(
            f"{name} is asked for both file={file} and data=lab.", mend="Leave one of the two away."
        )
    return LAB if data == "lab" else OWN if file else official


class Named(Protocol):
    """What a line of a user's file makes; `id` is unique in the file and begins with ``file/``."""

    @property
    def id(self) -> str:
        """The id."""
        ...


Made = TypeVar("Made", bound=Named)


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
        in_order = [text for _, text in sorted(self._found, key=lambda found: found[0])]
        raise BadData(
            f"{self._path} cannot be used: {listed(in_order)}.", mend="Mend these lines and run again."
        )


def read_csv(path: Path, needed: Sequence[str]) -> tuple[list[tuple[int, dict[str, str]]], Problems]:
    """The rows of a CSV file with a header, each with the line where it ends, cells without outer spaces.

    Rows that lack a cell, or have one too many, or an empty needed one, are left out and noted in the
    `Problems`, which the caller raises after checks of its own.

    Raises:
        BadData: unreadable (see `evenhand.files.read_text`), no such columns, or no CSV at all.
    """
    reader = csv.DictReader(io.StringIO(read_text(path, mend=_FILE), newline=""), strict=True)
    problems = Problems(path)
    rows = []
    try:
        _check_columns(path, reader.fieldnames or (), needed)
        for row in reader:
            if _complete(row, needed, reader.line_num, problems):
                rows.append((reader.line_num, {key: value.strip() for key, value in row.items()}))
    except csv.Error as error:
        problems.add(reader.line_num, f"this is not CSV ({error})")
    if not rows and not problems.count:
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
        BadData: unreadable (see `evenhand.files.read_text`).
    """
    problems = Problems(path)
    return list(_objects(read_text(path, mend=_FILE), problems)), problems


def _objects(text: str, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json_object(line)
        except ValueError as problem:
            problems.add(number, str(problem))


def read_own(
    path: Path, text: str, fields: Mapping[str, type], make: Callable[[int, Mapping[str, Any]], Made]
) -> list[Made]:
    """What `make` makes of each line of the user's file and its number.

    The lines are JSON objects, whose `fields` are checked, they may lack any. A file whose name does not end
    in ``.jsonl`` has a text a line instead: a record of the field `text` alone.

    Raises:
        BadData: the file cannot be read or is empty; or `make` raises a ValueError for some lines, or two
            have one id, and all of them are listed.
    """
    if path.suffix == ".jsonl":
        rows, problems = read_jsonl(path)
    else:
        lines = enumerate(read_text(path, mend=_FILE).split("\n"), start=1)
        rows, problems = [(n, {text: line.rstrip("\r")}) for n, line in lines if line.strip()], Problems(path)
    found: dict[str, Made] = {}
    for number, record in rows:
        try:
            _check_fields(record, fields)
            made = make(number, record)
        except ValueError as problem:
            problems.add(number, str(problem))
            continue
        if made.id in found:
            problems.add(number, f"repeats the id {made.id.partition('/')[2]!r}")
        found[made.id] = made
    problems.raise_any()
    return list(found.values())


def _check_fields(record: Mapping[str, Any], fields: Mapping[str, type]) -> None:
    for name, kind in fields.items():
        if name in record and (not isinstance(record[name], kind) or not record[name]):
            raise ValueError(f"{name!r} is {record[name]!r}")
