"""Databases and services for the tests of the monitor."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evenhand.monitor import keys
from evenhand.monitor.service.settings import Settings
from evenhand.monitor.store import Store, open_store
from tests.monitor import replicas
from tests.monitor.replicas import create_app
from tests.support import postgres as postgres_server

_numbers = itertools.count()
HERE = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an empty database, to be copied: the migrations take a while."""
    folder = tmp_path_factory.mktemp("monitor") / "data"
    open_store(folder).close()
    return folder


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty database of each kind."""
    address = None if request.param == "sqlite" else request.getfixturevalue("database")
    if address is None:
        shutil.copytree(request.getfixturevalue("empty"), tmp_path / "data")
    opened = open_store(tmp_path / "data", address)
    yield opened
    replicas.close()
    opened.close()


@pytest.fixture
def sqlite(empty: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty database of SQLite, where what is tested does not depend on the kind."""
    shutil.copytree(empty, tmp_path / "own")
    opened = open_store(tmp_path / "own")
    yield opened
    opened.close()


@pytest.fixture
def sqlite_client(sqlite: Store) -> tuple[TestClient, Store]:
    """A service on it that asks for keys, and the database."""
    return TestClient(create_app(Settings(sqlite)), base_url=HERE, follow_redirects=False), sqlite


@pytest.fixture
def client(store: Store) -> TestClient:
    """A service that asks for keys; `client.headers` can hold one."""
    return TestClient(create_app(Settings(store)), base_url=HERE, follow_redirects=False)


@pytest.fixture
def bearer(store: Store) -> dict[str, str]:
    """The header of a key that may do everything a key may."""
    made = keys.create(store, "test", ["ingest", "read", "act"])
    return {"Authorization": f"Bearer {made.text}"}


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A PostgreSQL server."""
    with postgres_server.running() as server:
        yield server


@pytest.fixture
def database(postgres: postgres_server.Server) -> Iterator[str]:
    """The address of a new base on it."""
    import psycopg

    name = f"monitor_{next(_numbers)}"
    with psycopg.connect(f"{postgres.address}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield f"{postgres.address}/{name}"
    with psycopg.connect(f"{postgres.address}/postgres", autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")
