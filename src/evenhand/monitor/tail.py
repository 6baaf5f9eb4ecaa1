"""Following a log or a table that exists already, from where it was left, also after a kill.

The position is written, in one step, after a batch was taken; a kill between the two makes the batch come
twice, and events that come twice are counted once. A log that was rotated (another file under its name) or
cut is read from its start.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import MetaData, Table, select
from sqlalchemy.exc import NoSuchTableError

from evenhand.errors import BadData, BadOption
from evenhand.files import write_atomically
from evenhand.monitor.events import Event

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

ROWS = 1000  # of a batch
LONGEST = 2**20  # bytes of a line
Take = Callable[[Sequence[Event]], object]


@dataclass(frozen=True)
class Read:
    """What was read: events that were taken, and rows that are none, some of which `problems` names."""

    events: int = 0
    wrong: int = 0
    problems: tuple[str, ...] = ()

    def __add__(self, other: Read) -> Read:
        return Read(
            self.events + other.events, self.wrong + other.wrong, (self.problems + other.problems)[:5]
        )


class LogTail:
    """A log of one JSON event a line; `state` is the file of its position."""

    def __init__(self, path: Path, state: Path) -> None:
        self.path, self.state = path, state

    def follow(self, take: Take) -> Read:
        """Take everything that is new, as far as its lines are whole.

        Raises:
            BadData: the log or the position cannot be read.
        """
        total = Read()
        try:
            with self.path.open("rb") as file:
                own = os.fstat(file.fileno())
                held = _state(self.state)
                same = held.get("file") == own.st_ino and held.get("position", 0) <= own.st_size
                position = held["position"] if same else 0
                file.seek(position)
                while lines := _whole(file):
                    total += _taken(
                        [(f"{self.path}, byte {position + at}", text) for at, text in lines], take
                    )
                    position = file.tell()
                    _keep(self.state, {"file": own.st_ino, "position": position})
        except OSError as error:
            raise BadData(f"{self.path} cannot be read: {error}.", mend="Name a readable log.") from None
        return total


def _whole(file: Any) -> list[tuple[int, Any]]:
    """The next whole lines, with their places after the position; the file stands behind them."""
    found: list[tuple[int, Any]] = []
    start = file.tell()
    while len(found) < ROWS:
        here = file.tell()
        line = file.readline(LONGEST)
        if not line.endswith(b"\n"):
            if len(line) == LONGEST:  # pass over the rest of a line that is no event
                while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
                    pass
                if rest:
                    found.append((here - start, None))
                    continue
            file.seek(here)
            break
        found.append((here - start, line))
    return found


class TableTail:
    """A table of a database; `column` grows from row to row, and other columns are fields of events.

    A column ``attributes.sex`` or ``attributes_sex`` is an attribute.
    """

    def __init__(self, engine: Engine, table: str, column: str, state: Path) -> None:
        self._engine, self.column, self.state = engine, column, state
        try:
            self._table = Table(table, MetaData(), autoload_with=engine)
        except NoSuchTableError:
            raise BadOption(f"There is no table {table!r}.", mend="Name one of this database.") from None
        if column not in self._table.c:
            raise BadOption(
                f"The table {table!r} has no column {column!r}.",
                mend="Name one that grows from row to row, such as its id.",
            )

    def follow(self, take: Take) -> Read:
        """Take everything that is new.

        Raises:
            BadData: the position cannot be read.
        """
        total = Read()
        grows = self._table.c[self.column]
        position = _state(self.state).get("position")
        while True:
            query = select(self._table).order_by(grows).limit(ROWS)
            if position is not None:
                query = query.where(grows > position)
            with self._engine.connect() as connection:
                rows = connection.execute(query).mappings().all()
            if not rows:
                return total
            total += _taken([(f"{self.column} {row[self.column]}", self._event(row)) for row in rows], take)
            position = rows[-1][self.column]
            _keep(self.state, {"position": position})

    def _event(self, row: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in row.items():
            own = re.match(r"attributes[._](.+)", name)
            if own:
                found.setdefault("attributes", {})[own[1]] = value
            elif name in Event.model_fields and value is not None:
                found[name] = value
        return found


def _taken(rows: Sequence[tuple[str, Any]], take: Take) -> Read:
    """Take the events among `rows`; those that are none are counted, and do not stop the others."""
    events, problems = [], []
    for place, row in rows:
        if isinstance(row, bytes) and not row.strip():
            continue
        try:
            events.append(Event.model_validate(json.loads(row) if isinstance(row, bytes) else row))
        except (ValidationError, ValueError, RecursionError) as error:
            problems.append(f"{place}: {_why(error)}")
    if events:
        take(events)
    return Read(len(events), len(problems), tuple(problems[:5]))


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the row'}: {first['msg']}"
    return "it is no JSON"


def _state(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadData(
            f"The position in {path} cannot be read: {error}.",
            mend="Delete it to begin anew: what was taken is not counted twice.",
        ) from None
    return found if isinstance(found, dict) else {}


def _keep(path: Path, position: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(position).encode())
