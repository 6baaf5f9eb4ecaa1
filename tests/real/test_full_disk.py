"""A disk that is really full: what was acknowledged is there, what was not is refused, and room mends it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from evenhand.errors import NoSpace
from evenhand.monitor import chain
from evenhand.monitor.ingest import take
from evenhand.monitor.store import Store, open_store, tables
from tests.monitor.conftest import postgres  # noqa: F401 - a fixture
from tests.monitor.made import decision

pytestmark = pytest.mark.real
SMALL, LARGE = "12m", "64m"
BATCH, MOST = 1000, 100


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system of `SMALL`, in memory, where the server's own user comes to as well."""
    place = Path(tempfile.mkdtemp(prefix="evenhand-disk-"))
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", place], check=False, capture_output=True
    )
    if made.returncode:
        place.rmdir()
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)
    place.rmdir()


@contextlib.contextmanager
def stored(kind: str, disk: Path, data: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database whose tables lie on the small disk."""
    address = None
    if kind == "postgresql":
        import psycopg

        server = request.getfixturevalue("postgres")
        shutil.chown(disk, "nobody")
        disk.chmod(0o700)
        with psycopg.connect(f"{server.address}/postgres", autocommit=True) as connection:
            connection.execute(f"create tablespace small location '{disk}'")
            connection.execute("create database full_disk tablespace small")
        address = f"{server.address}/full_disk"
    store = open_store(disk if address is None else data, address)
    yield store
    store.close()
    if address is not None:
        with psycopg.connect(f"{server.address}/postgres", autocommit=True) as connection:
            connection.execute("drop database full_disk with (force)")
            connection.execute("drop tablespace small")


def events(store: Store) -> int:
    with store.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(tables.predictions)) or 0)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_nothing_acknowledged_is_lost(
    kind: str, disk: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with stored(kind, disk, tmp_path / "data", request) as store:
        accepted, batch, full = 0, [], ""
        while not full and accepted < MOST * BATCH:
            batch = [decision(f"{accepted}-{at}") for at in range(BATCH)]
            try:
                accepted += take(store, batch).accepted
            except NoSpace as error:
                full = error.what
        assert "disk of the database is full" in full
        assert accepted >= BATCH
        assert events(store) == accepted
        assert chain.check(store) == []
        subprocess.run(["mount", "-o", f"remount,size={LARGE}", disk], check=True)
        assert take(store, batch).accepted == BATCH  # the batch that was refused, sent again
        assert events(store) == accepted + BATCH
        assert chain.check(store) == []
