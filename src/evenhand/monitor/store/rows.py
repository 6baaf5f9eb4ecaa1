"""Many rows at once: one short statement on PostgreSQL, whatever their number."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, LargeBinary, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Column, CursorResult, Table
    from sqlalchemy.engine import Connection

More = Callable[[Any], Any]
STATEMENTS = 256  # that are kept: which columns are the same in all rows differs from batch to batch
_GIVEN = "given_rows"


def insertion(connection: Connection, table: Table) -> Any:
    """INSERT of the database's dialect, which knows what to do on a conflict."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def as_it_is(made: Any) -> Any:
    """The statement."""
    return made


def if_new(made: Any) -> Any:
    """The statement, which leaves rows alone that are there already."""
    return made.on_conflict_do_nothing()


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], more: More = as_it_is
) -> CursorResult[Any]:
    """Insert `rows`, which have the same columns, in their order; there is at least one.

    `more`, a function of a module, adds to the statement of the dialect, such as what becomes of a row that
    is there already, or what is returned. PostgreSQL gets one JSON text: a statement that names every value
    of every row takes longer to read there, and in psycopg, than the insertion itself, and psycopg writes
    arrays value by value.
    """
    if connection.dialect.name == "sqlite":
        return connection.execute(more(insertion(connection, table)), list(rows))
    names = tuple(rows[0])
    values = {name: [row[name] for row in rows] for name in names}
    alike = frozenset(name for name in names if values[name].count(values[name][0]) == len(rows))
    varying = [name for name in names if name not in alike]
    given = [dict(zip(varying, row, strict=True)) for row in zip(*(values[n] for n in varying), strict=True)]
    text = json.dumps(given or [{}] * len(rows), ensure_ascii=False, default=_plain)
    once = {name: values[name][0] for name in alike}
    return connection.execute(_statement(table, names, alike, more), {_GIVEN: text, **once})


def _plain(value: Any) -> str:
    """Bytes, dates and times, as `_statement` reads them."""
    return value.hex() if isinstance(value, bytes) else str(value.isoformat())


@lru_cache(STATEMENTS)
def _statement(table: Table, names: tuple[str, ...], alike: frozenset[str], more: More) -> Any:
    """INSERT of the columns `names`, of which those `alike` have one value, the others that of a JSON row."""
    of = [table.c[name] for name in names]
    read = [column(c.name, Text() if _is_bytes(c) else c.type) for c in of if c.name not in alike]
    # A row without a column of its own is still one.
    rows = func.json_to_recordset(cast(bindparam(_GIVEN, type_=Text()), JSON))
    given = rows.table_valued(*(read or [column("none", Text())])).render_derived("given", with_types=True)
    chosen = [
        cast(bindparam(c.name, type_=c.type), c.type)
        if c.name in alike
        else func.decode(given.c[c.name], "hex")
        if _is_bytes(c)
        else given.c[c.name]
        for c in of
    ]
    return more(postgresql.insert(table).from_select(list(names), select(*chosen).select_from(given)))


def _is_bytes(of: Column[Any]) -> bool:
    return isinstance(of.type, LargeBinary)
