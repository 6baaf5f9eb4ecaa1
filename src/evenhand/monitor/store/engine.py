"""Connections to the database, and how work on it is done: reads from snapshots, one writer, known failures.

SQLite runs in WAL mode with ``synchronous=FULL`` and one writing connection a process; PostgreSQL with its
own defaults. On both a commit has reached the disk when it returns, so what was acknowledged survives a
killed process and a power cut (if the disk keeps its promises).
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from evenhand.errors import EnvironmentProblem, NoSpace

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection, Engine

T = TypeVar("T")
BUSY_SECONDS = 30
TRIES = 4  # of a transaction that lost against another one
_LOST = (
    "40001",
    "40P01",
    "23505",
)  # PostgreSQL: serialization failure, deadlock, a row that another one made
_FULL = ("disk is full", "53100", "no space left", "disk i/o error")


class StoreUnavailable(EnvironmentProblem):
    """The database does not answer, or not in time; nothing of the transaction was stored."""


@dataclass
class Store:
    """An open database.

    Attributes:
        url: where it is.
        reader, writer: pools of connections; the writer of SQLite has one.
        secret: the key of digests and pseudonyms.
    """

    url: URL
    reader: Engine
    writer: Engine
    secret: bytes = field(repr=False)

    @property
    def sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.url.get_backend_name() == "sqlite"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database, and changes nothing.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        with named_failures(), self.reader.connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """The result of `work`, done in one transaction that is on the disk when this returns.

        A transaction that lost against another one is done again, so `work` changes nothing else.

        Raises:
            StoreUnavailable: the database does not answer, or is busy for 30 seconds.
            NoSpace: the disk is full.
        """
        with named_failures():
            for left in reversed(range(TRIES)):
                try:
                    with self.writer.begin() as connection:
                        return work(connection)
                except DBAPIError as error:
                    if not left or not _may_repeat(error):
                        raise
                    time.sleep(0.02 * (TRIES - left))
        raise AssertionError("unreachable")

    def settle(self) -> None:
        """Move what SQLite keeps beside its file into it: until then, what was erased still stands there."""
        if self.sqlite:
            with named_failures(), contextlib.closing(self.writer.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def close(self) -> None:
        """Let go of all connections."""
        self.reader.dispose()
        self.writer.dispose()


def _may_repeat(error: DBAPIError) -> bool:
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _LOST


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Failures of the database, not of a statement, as errors of evenhand's.

    Raises:
        StoreUnavailable: it does not answer.
        NoSpace: the disk is full.
    """
    try:
        yield
    except PoolTimeout:
        raise StoreUnavailable("The database is busy.", mend="Try again; nothing was stored.") from None
    except OperationalError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if any(sign in f"{state} {error.orig}".lower() for sign in _FULL):
            raise NoSpace(
                "The disk of the database is full.", mend="Make room and send again; nothing was stored."
            ) from None
        raise StoreUnavailable(
            "The database does not answer.",
            mend="Start it, or look at its address and rights; then try again. Nothing was stored.",
        ) from error


def engines(url: URL) -> tuple[Engine, Engine]:
    """The pools for reading and for writing of the database at `url`."""
    if url.get_backend_name() != "sqlite":
        engine = create_engine(
            url, pool_pre_ping=True, pool_size=8, max_overflow=8, pool_timeout=BUSY_SECONDS
        )
        return engine, engine
    reader = create_engine(url, pool_size=16, max_overflow=16, pool_timeout=BUSY_SECONDS)
    writer = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=BUSY_SECONDS)
    for engine, begin in ((reader, "BEGIN"), (writer, "BEGIN IMMEDIATE")):
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _beginner(begin))
    return reader, writer


def _set_up(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy begins them, also before DDL
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",  # what is erased is overwritten
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _beginner(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
