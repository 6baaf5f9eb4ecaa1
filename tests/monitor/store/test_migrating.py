"""The schema is what the migrations make, up and down, and all or nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select
from sqlalchemy.engine import Connection

from evenhand.errors import EnvironmentProblem, UnknownName
from evenhand.monitor import chain
from evenhand.monitor.ingest import take
from evenhand.monitor.store import Store, open_store
from evenhand.monitor.store.migrating import current, migrate, newest
from evenhand.monitor.store.tables import metadata
from tests.monitor.made import DAY, decision


def test_the_migrations_make_the_schema_of_the_code(store: Store) -> None:
    with store.reading() as connection:
        assert current(connection) == newest()
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_down_to_nothing_and_up_again(store: Store) -> None:
    assert migrate(store.writer, "base") == "base"
    assert inspect(store.writer).get_table_names() == ["alembic_version"]
    assert migrate(store.writer) == newest()
    assert set(inspect(store.writer).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_what_is_stored_goes_down_and_up_again(store: Store) -> None:
    events = [
        decision(f"a-{at}", label=at % 2, attributes={"sex": "fm"[at % 2]}, time=DAY + timedelta(days=at % 3))
        for at in range(30)
    ]
    assert take(store, events).accepted == 30
    tables = ("predictions", "cells", "groups", "streams", "chain")
    before = {name: _rows(store, name) for name in tables}
    assert migrate(store.writer, "0010") == "0010"
    assert migrate(store.writer) == newest()
    assert {name: _rows(store, name) for name in tables} == before
    assert chain.check(store) == []
    assert take(store, [*events, decision("b")]).duplicates == 30


def _rows(store: Store, table: str) -> list[str]:
    """The rows of a table, in an order of their own, without what older versions of it have no place for."""
    kept = [one for one in metadata.tables[table].c if one.name != "grown"]
    with store.reading() as connection:
        found = connection.execute(select(*kept)).all()
    return sorted(map(str, found))


def test_the_newest_configuration_is_found_by_an_index_that_comes_and_goes(store: Store) -> None:
    store.write(lambda connection: chain.configure(connection, "policy", {"alpha": 0.05}))
    assert "ix_chain_kind_number" in _plan(store)
    assert migrate(store.writer, "0013") == "0013"
    assert "ix_chain_kind_number" not in [one["name"] for one in inspect(store.writer).get_indexes("chain")]
    assert migrate(store.writer) == newest()
    assert chain.check(store) == []


def _plan(store: Store) -> str:
    """How the database looks the newest entry up, where reading everything is not cheap."""

    def work(connection: Connection) -> str:
        query = chain.newest_of("configuration policy").compile(
            connection, compile_kwargs={"literal_binds": True}
        )
        if not store.sqlite:
            connection.exec_driver_sql("set local enable_seqscan = off")
        way = "explain query plan" if store.sqlite else "explain"
        return str(connection.exec_driver_sql(f"{way} {query}").all())

    return store.write(work)


def test_an_unknown_version_is_refused(store: Store) -> None:
    with pytest.raises(UnknownName, match="no version of the schema named 'x'"):
        migrate(store.writer, "x")
    store.write(lambda connection: connection.exec_driver_sql("update alembic_version set version_num = '9'"))
    with pytest.raises(UnknownName, match="Install the newer evenhand"):
        migrate(store.writer)


def test_a_database_of_another_secret_is_not_opened(tmp_path) -> None:
    open_store(tmp_path).close()
    (tmp_path / "secret.key").write_text("ab" * 32)
    with pytest.raises(EnvironmentProblem, match="another secret"):
        open_store(tmp_path)
