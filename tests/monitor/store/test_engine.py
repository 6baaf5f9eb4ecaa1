"""Two writers at once: who loses does its work again, on what the other has stored."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from evenhand.monitor.store import Store, open_store
from evenhand.monitor.store.opening import create
from evenhand.monitor.store.tables import meta


@pytest.mark.postgres
def test_of_two_that_make_the_same_row_the_later_one_finds_it(database, tmp_path) -> None:
    store = open_store(tmp_path, database)
    together = threading.Barrier(2)

    def work(connection: Connection) -> str:
        found = connection.scalar(select(meta.c.value).where(meta.c.name == "made"))
        if found is not None:
            return "found"
        together.wait(10)
        connection.execute(insert(meta).values(name="made", value="x"))
        return "made"

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(store.write, [work, work]))
    assert sorted(done) == ["found", "made"]
    store.close()


def test_what_is_there_anyhow_stays_an_error(store: Store) -> None:
    row = insert(meta).values(name="made", value="x")
    store.write(lambda connection: connection.execute(row))
    with pytest.raises(IntegrityError):
        store.write(lambda connection: connection.execute(row))


@pytest.mark.postgres
def test_services_that_start_together_on_an_empty_database_all_start(database, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EVENHAND_MONITOR_SECRET", "s" * 32)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda one: open_store(tmp_path / one, database), "abcd"))
    for store in made:
        create(store)  # again: nothing happens
        store.close()
