"""Where the database and its secret are, and opening them.

By default everything is in one data folder: ``--data``, or ``EVENHAND_MONITOR_DATA``, or
``~/.local/share/evenhand/monitor``. `monitor.sqlite` is the database unless ``--database`` or
``EVENHAND_MONITOR_DATABASE`` gives the address of a PostgreSQL, and `secret.key` (or
``EVENHAND_MONITOR_SECRET``, which replicas share) is the key of digests and pseudonyms.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from evenhand.errors import BadOption, EnvironmentProblem, MissingExtra
from evenhand.monitor.store.engine import Store, engines, named_failures
from evenhand.monitor.store.migrating import current, migrate, newest, scripts
from evenhand.monitor.store.tables import meta

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

DATA, DATABASE, SECRET = "EVENHAND_MONITOR_DATA", "EVENHAND_MONITOR_DATABASE", "EVENHAND_MONITOR_SECRET"
LEAST_SECRET = 32  # bytes
_FINGERPRINT = "secret"


def data_folder(given: str | Path | None = None) -> Path:
    """The data folder, which exists afterwards and which only its owner may read.

    Raises:
        EnvironmentProblem: it cannot be made.
    """
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    place = Path(given or os.environ.get(DATA) or Path(base) / "evenhand" / "monitor").expanduser().absolute()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise EnvironmentProblem(
            f"The data folder {place} cannot be made: {error}.", mend=f"Name another with --data or {DATA}."
        ) from None
    return place


def address(folder: Path, given: str | None = None) -> URL:
    """The address of the database: SQLite's file in `folder`, or what `given` or the environment names.

    Raises:
        BadOption: the text is no address of SQLite or PostgreSQL.
        MissingExtra: the driver of PostgreSQL is not installed.
    """
    text = given or os.environ.get(DATABASE) or ""
    if not text:
        return make_url(f"sqlite:///{folder / 'monitor.sqlite'}")
    try:
        url = make_url(text if "://" in text else f"sqlite:///{Path(text).absolute()}")
        if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
            import psycopg  # noqa: F401 - is it there?

            return url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
            return url.set(drivername="sqlite")
    except (ArgumentError, NoSuchModuleError, ValueError):
        pass
    except ImportError:
        raise MissingExtra("psycopg", "postgres", "A monitor on PostgreSQL") from None
    raise BadOption(  # the text is not repeated, for it may hold a password
        "The address of the database is neither a file of SQLite nor a PostgreSQL.",
        mend="Write --database postgresql://user@host/base, or nothing for SQLite in the data folder.",
    )


def secret(folder: Path, *, make: bool = True) -> bytes:
    """The key of digests and pseudonyms: of the environment, or of `folder`, where it is made if missing.

    Raises:
        BadOption: the environment's is shorter than 32 bytes.
        EnvironmentProblem: the file cannot be read or made.
    """
    given = os.environ.get(SECRET, "")
    if given:
        if len(given.encode()) < LEAST_SECRET:
            raise BadOption(
                f"{SECRET} has fewer than {LEAST_SECRET} bytes.",
                mend="Make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
            )
        return hashlib.sha256(given.encode()).digest()
    path = folder / "secret.key"
    try:
        if make and not path.exists():
            # Written whole, then linked: of two processes that start together one makes it.
            draft = folder / f".secret.{os.getpid()}.{secrets.token_hex(4)}"
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise EnvironmentProblem(
            f"The secret {path} cannot be read: {error}.",
            mend=f"Bring it back from a copy, or name its folder with --data; {SECRET} stands instead of it.",
        ) from None


def open_store(data: str | Path | None = None, database: str | None = None) -> Store:
    """The database, made if it does not exist.

    Raises:
        EnvironmentProblem: it does not answer, has another version's schema, or another secret.
    """
    folder = data_folder(data)
    store = connect(folder, database)
    try:
        with store.reading() as connection:
            version = current(connection)
        if version is None:
            create(store)
        elif version != newest():
            _refuse(version)
        with store.reading() as connection:
            _check_secret(store, connection)
    except BaseException:
        store.close()
        raise
    return store


def connect(folder: Path, database: str | None = None) -> Store:
    """The database, whatever its schema."""
    url = address(folder, database)
    with named_failures():
        reader, writer = engines(url)
    return Store(url, reader, writer, secret(folder))


def create(store: Store) -> None:
    """Make the newest schema, or bring the database up to it, and note which secret belongs to it."""
    with named_failures():
        migrate(store.writer)

    def note(connection: Connection) -> None:
        if connection.scalar(select(meta.c.value).where(meta.c.name == _FINGERPRINT)) is None:
            connection.execute(insert(meta).values(name=_FINGERPRINT, value=_fingerprint(store.secret)))

    store.write(note)


def _fingerprint(key: bytes) -> str:
    return hmac.new(key, b"fingerprint", hashlib.sha256).hexdigest()[:16]


def _check_secret(store: Store, connection: Connection) -> None:
    noted = connection.scalar(select(meta.c.value).where(meta.c.name == _FINGERPRINT))
    if noted is not None and noted != _fingerprint(store.secret):
        raise EnvironmentProblem(
            "The database was made with another secret, without which no key and no person is known again.",
            mend=f"Give the secret.key that belongs to it: its folder with --data, or its text in {SECRET}.",
        )


def _refuse(version: str) -> None:
    known = [step.revision for step in scripts().walk_revisions()]
    if version in known:
        raise EnvironmentProblem(
            f"The database has version {version} of the schema, and this evenhand needs {newest()}.",
            mend="Stop the service, make a backup, then run: evenhand monitor db upgrade",
        )
    raise EnvironmentProblem(
        f"The database has version {version} of the schema, which this evenhand does not know.",
        mend="Install the newer evenhand that made it.",
    )


def utc_now() -> datetime:
    """The time now, with its zone."""
    return datetime.now(UTC)
