"""Copies to PostgreSQL and backups hold everything."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import update

from evenhand.errors import BadOption, EnvironmentProblem
from evenhand.monitor import keys
from evenhand.monitor.events import Label
from evenhand.monitor.ingest import join, take
from evenhand.monitor.store import Store, copying, open_store, tables
from evenhand.monitor.store.backup import backup
from tests.monitor.made import decision


def filled(folder: Path) -> tuple[Store, str]:
    store = open_store(folder)
    take(store, [decision(f"ä{i}", score=i / 7, label=i % 2) for i in range(8)])
    join(store, [Label(prediction_id="early", use_case="loans", label=1)])
    return store, keys.create(store, "k", ["ingest"]).text


def test_a_backup_is_whole_while_the_store_is_open(tmp_path) -> None:
    store, text = filled(tmp_path / "a")
    out = tmp_path / "b" / "monitor.sqlite"
    out.parent.mkdir()
    backup(store, out)
    (tmp_path / "b" / "secret.key").write_text((tmp_path / "a" / "secret.key").read_text())
    assert [one.name for one in out.parent.iterdir() if "monitor" in one.name] == ["monitor.sqlite"]
    with sqlite3.connect(out) as plain:
        assert plain.execute("pragma integrity_check").fetchone() == ("ok",)
    copy = open_store(out.parent)
    assert keys.principal(copy, text).name == "key:k"
    for table in tables.metadata.sorted_tables:
        with store.reading() as one, copy.reading() as other:
            assert copying.digest(one, table) == copying.digest(other, table), table.name
    with pytest.raises(BadOption, match="exists already"):
        backup(store, out)
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        backup(store, tmp_path / "nowhere" / "x")
    store.close()
    copy.close()


def test_the_hash_sees_every_value(tmp_path) -> None:
    store, _ = filled(tmp_path)
    with store.reading() as connection:
        before = copying.digest(connection, tables.predictions)
    p = tables.predictions
    store.write(lambda c: c.execute(update(p).where(p.c.prediction_id == "ä3").values(score=0.4)))
    with store.reading() as connection:
        after = copying.digest(connection, tables.predictions)
    assert (after[0], after[1] != before[1]) == (before[0], True)
    store.close()


@pytest.mark.postgres
def test_a_copy_goes_on_where_the_file_was(tmp_path, database, monkeypatch) -> None:
    store, text = filled(tmp_path)
    store.close()
    source = tmp_path / "monitor.sqlite"
    with monkeypatch.context() as patch:
        true = copying.digest
        broken = lambda c, t: (0, "") if c.dialect.name == "postgresql" and t.name == "cells" else true(c, t)  # noqa: E731
        patch.setattr(copying, "digest", broken)
        with pytest.raises(EnvironmentProblem, match="cells arrived otherwise"):
            copying.copied(source, database, tmp_path)
    found = {one.table: one.rows for one in copying.copied(source, database, tmp_path)}
    assert (found["predictions"], found["waiting_labels"], found["api_keys"]) == (8, 1, 1)
    with pytest.raises(BadOption, match="holds rows already"):
        copying.copied(source, database, tmp_path)
    copy = open_store(tmp_path, database)
    assert keys.principal(copy, text).name == "key:k"
    assert take(copy, [decision("ä1"), decision("early"), decision("new")]).labels == 1
    assert keys.create(copy, "next", ["read"]).key.id == 2
    copy.close()
