"""Reading a benchmark's CSV and JSON lines: every problem of a file at once, with line and column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from evenhand.errors import BadData, BadOption, listed
from evenhand.files import json_object, lines, read_text
from evenhand.tables import read_delimited

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
            f"{name} is asked for both file={file} and data=lab.", mend="Leave one of the two out."
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

    def __init__(self, path: Path, found: Iterable[tuple[int, str]] = ()) -> None:
        """`found` are problems that are known already, each with its line."""
        self._path = path
        self._found: list[tuple[int, str]] = []
        for line, what in found:
            self.add(line, what)

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
        """Raise one error for all of them; do nothing if there are none.

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
    """The rows of a CSV file with a header, each with the line where it begins, cells without outer spaces.

    Rows that lack a cell, or have one too many, or an empty needed one, are left out and noted in the
    `Problems`, which the caller raises after checks of its own.

    Raises:
        BadData: unreadable (see `evenhand.tables.read_delimited`), or no such columns.
    """
    table = read_delimited(path, mend=_FILE)
    problems = Problems(path, table.problems)
    if table.columns or not problems.count:
        _check_columns(path, table.columns, needed)
    rows = [(line, {key: cell.strip() for key, cell in row.items()}) for line, row in table.rows]
    whole = [(line, row) for line, row in rows if _complete(row, needed, line, problems)]
    if not whole and not problems.count:
        problems.add(1, "no rows follow the header")
    return whole, problems


def read_tsv(path: Path) -> list[dict[str, str]]:
    """The rows of a published file with tabs between its cells, as written.

    Raises:
        BadData: unreadable (see `evenhand.tables.read_delimited`), or rows are not as long as the header.
    """
    table = read_delimited(path, "\t", strict=False)
    Problems(path, table.problems).raise_any()
    return [row for _, row in table.rows]


def _check_columns(path: Path, found: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in found]
    if missing:
        raise BadData(
            f"{path} has no column {', '.join(map(repr, missing))}; its header is {_named(found)}.",
            mend=f"Give a CSV file whose first line names at least: {', '.join(needed)}.",
        )


def _named(columns: Sequence[str]) -> str:
    return listed([repr(name[:60]) for name in columns]).replace("; ", ", ")


def _complete(row: Mapping[str, str], needed: Sequence[str], line: int, problems: Problems) -> bool:
    empty = [name for name in needed if not row[name]]
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
    for number, line in enumerate(lines(text), start=1):
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

    The lines are JSON objects, whose `fields` are checked; each of them may be absent. A file whose name does
    not end in ``.jsonl`` has a text a line instead: a record of the field `text` alone.

    Raises:
        BadData: the file cannot be read or is empty; or `make` raises a ValueError for some lines, or two
            have one id, and all of them are listed.
    """
    if path.suffix == ".jsonl":
        rows, problems = read_jsonl(path)
    else:
        written = enumerate(lines(read_text(path, mend=_FILE)), start=1)
        rows, problems = [(n, {text: line}) for n, line in written if line.strip()], Problems(path)
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
            kinds = "list" if kind is list else "text"
            raise ValueError(f"{name!r} is {record[name]!r}, not a {kinds} with something in it")
