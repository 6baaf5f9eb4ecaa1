"""From one version of the schema to another, each step in a transaction of its own with its number.

The steps are the modules of `migrations`; alembic runs them without an ``env.py``, for everything that one
would say is said here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text

from evenhand.errors import UnknownName
from evenhand.monitor.store.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

HERE = Path(__file__).parent / "migrations"
EMPTY = "base"
_LOCK = 5_046_212  # of PostgreSQL: replicas that start together make the schema once


def scripts() -> ScriptDirectory:
    """The steps that there are."""
    return ScriptDirectory(str(HERE), version_locations=[str(HERE)])


def newest() -> str:
    """The version of the schema that this code works with."""
    head = scripts().get_current_head()
    assert head is not None
    return head


def current(connection: Connection) -> str | None:
    """The version of the schema of a database; None for one without a schema."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine, to: str = "") -> str:
    """Bring the database up or down to the version `to`, by default the newest; return the version.

    It is all done or not at all, also when the process is killed in the middle.

    Raises:
        UnknownName: there is no such version.
    """
    steps, wanted = scripts(), to or newest()
    known = [step.revision for step in steps.walk_revisions()]
    if wanted not in (EMPTY, *known):
        raise UnknownName("version of the schema", wanted, [EMPTY, *known])

    def walk(now: Any, _: MigrationContext) -> Any:
        here = now[0] if now else EMPTY
        if here not in (EMPTY, *known):
            raise UnknownName("version of the schema", here, known, mend="Install the newer evenhand.")
        up = here == EMPTY or (wanted != EMPTY and known.index(wanted) <= known.index(here))
        return steps._upgrade_revs(wanted, now) if up else steps._downgrade_revs(wanted, now)

    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        with EnvironmentContext(Config(), steps, fn=walk) as environment:
            environment.configure(
                connection=connection, target_metadata=metadata, fn=walk, transactional_ddl=True
            )
            with environment.begin_transaction():
                environment.run_migrations()
    return wanted


__all__ = ["EMPTY", "CommandError", "current", "migrate", "newest", "scripts"]
