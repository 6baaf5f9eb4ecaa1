"""A database of SQLite copied to PostgreSQL, in one transaction, counted and hashed on both sides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, text

from evenhand.errors import BadOption, EnvironmentProblem
from evenhand.monitor.store.engine import named_failures
from evenhand.monitor.store.migrating import current, migrate, newest
from evenhand.monitor.store.opening import connect
from evenhand.monitor.store.tables import meta, metadata

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

ROWS = 5000  # at a time
_MODULUS = 2**256


@dataclass(frozen=True)
class Copied:
    """A table of which both sides have as many rows, with one hash."""

    table: str
    rows: int
    sha256: str


def copied(source: Path, target: str, data: Path) -> list[Copied]:
    """Copy the file `source` to the empty PostgreSQL `target`; `data` holds the secret that belongs to both.

    Raises:
        BadOption: the target is no PostgreSQL, or holds rows already.
        EnvironmentProblem: a schema is not the newest, or what arrived is not what was sent; nothing is kept.
    """
    old, new = connect(data, str(source)), connect(data, target)
    try:
        if new.sqlite:
            raise BadOption("The target is no PostgreSQL.", mend="Write postgresql://user@host/base.")
        with old.reading() as connection:
            if (version := current(connection)) != newest():
                raise EnvironmentProblem(
                    f"{source} has version {version} of the schema, and {newest()} is copied.",
                    mend="Run first: evenhand monitor db upgrade",
                )
        with named_failures():
            migrate(new.writer)
        with old.reading() as sent, named_failures(), new.writer.begin() as taken:
            _check_empty(taken)
            return [_table(sent, taken, table) for table in metadata.sorted_tables]
    finally:
        old.close()
        new.close()


def _check_empty(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if table is not meta and connection.scalar(select(func.count()).select_from(table)):
            raise BadOption(
                f"The target holds rows already, in {table.name}.", mend="Copy to an empty database."
            )
    connection.execute(meta.delete())


def _table(sent: Connection, taken: Connection, table: Table) -> Copied:
    for rows in _chunks(sent, table):
        taken.execute(insert(table), rows)
    own, theirs = digest(sent, table), digest(taken, table)
    if own != theirs:
        raise EnvironmentProblem(
            f"The table {table.name} arrived otherwise: {own[0]} rows became {theirs[0]}.",
            mend="Nothing was kept in the target; report this with the versions of both databases.",
        )
    if "id" in table.c:
        # Rows were numbered by the source; the next one follows.
        taken.execute(
            text(
                f"select setval(pg_get_serial_sequence('{table.name}', 'id'), "
                f"coalesce((select max(id) from {table.name}), 0) + 1, false)"
            )
        )
    return Copied(table.name, own[0], own[1])


def _chunks(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    result = connection.execute(select(table), execution_options={"yield_per": ROWS})
    for part in result.mappings().partitions(ROWS):
        yield [dict(row) for row in part]


def digest(connection: Connection, table: Table) -> tuple[int, str]:
    """How many rows, and a hash of them in any order: the databases sort differently."""
    count, total = 0, 0
    for rows in _chunks(connection, table):
        for row in rows:
            own = hashlib.sha256(json.dumps([_plain(value) for value in row.values()]).encode()).digest()
            total = (total + int.from_bytes(own)) % _MODULUS
            count += 1
    return count, f"{total:064x}"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value.isoformat() if hasattr(value, "isoformat") else value
