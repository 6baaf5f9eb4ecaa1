"""A whole copy of a database of SQLite, made while it is written to."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from evenhand.errors import BadOption, EnvironmentProblem

if TYPE_CHECKING:
    from evenhand.monitor.store.engine import Store

PAGES = 1000  # copied at a time, between which others may write


def backup(store: Store, out: Path) -> None:
    """Write the state of `store` to `out`, which appears whole or not at all.

    Raises:
        BadOption: the database is a PostgreSQL, or the file exists.
        EnvironmentProblem: the file cannot be written.
    """
    if not store.sqlite:
        raise BadOption("This database is a PostgreSQL.", mend="Use its own pg_dump --format=custom.")
    if out.exists():
        raise BadOption(f"{out} exists already.", mend="Name a new file.")
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    source = str(store.url.database)
    try:
        # Closed before it is renamed: what SQLite keeps beside an open file would be lost.
        with contextlib.closing(sqlite3.connect(draft)) as copy:
            with contextlib.closing(sqlite3.connect(source)) as original:
                original.backup(copy, pages=PAGES, sleep=0.01)
            copy.execute("PRAGMA journal_mode=DELETE").close()
        draft.chmod(0o600)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.rename(out)
    except (OSError, sqlite3.Error) as error:
        draft.unlink(missing_ok=True)
        raise EnvironmentProblem(f"{out} cannot be written: {error}.", mend="Name another file.") from None
