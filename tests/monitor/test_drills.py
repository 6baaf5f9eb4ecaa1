"""The drill of docs/operations.md for PostgreSQL: a dump, an empty database, a check, a service."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evenhand.cli import main
from evenhand.monitor import chain, holding, keys, users
from evenhand.monitor.events import Label
from evenhand.monitor.ingest import join, take
from evenhand.monitor.roles import EVERYBODY
from evenhand.monitor.service.settings import Settings
from evenhand.monitor.store import Store, copying, open_store, tables
from tests.monitor.conftest import HERE
from tests.monitor.made import decision
from tests.monitor.replicas import create_app
from tests.monitor.service.test_pages_acting import watched
from tests.support.postgres import Server
from tests.support.scripts import ROOT

pytestmark = pytest.mark.postgres


def filled(store: Store) -> str:
    """Something in every part of it; a key."""
    watched(store)
    take(store, [decision(f"ä{i}", score=i / 7, label=i % 2) for i in range(8)])
    join(store, [Label(prediction_id="early", use_case="loans", label=1)])
    holding.add(store, "loans", why="case 7", by="ada")
    users.add(store, "ada", None, "admin")
    return keys.create(store, "app", ["read", "ingest"]).text


def drilled(server: Server, source: str, folder: Path) -> str:
    """Run the commands of the page, on this server and in this folder; the address of what was restored."""
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    lines = [line.strip() for line in page.splitlines() if line.startswith("    ")]
    wanted = [line for line in lines if re.match(r"(pg_dump|createdb|pg_restore) ", line)]
    assert [line.split()[0] for line in wanted] == ["pg_dump", "createdb", "pg_restore"]
    target = f"{server.address}/drill_{source.rpartition('_')[2]}"
    places = {
        "postgresql://evenhand@host/evenhand": source,
        "postgresql://evenhand@host/drill": target,
        "postgresql://evenhand@host/postgres": f"{server.address}/postgres",
        "/backup/monitor.dump": str(folder / "monitor.dump"),
    }
    for line in wanted:
        for place, own in places.items():
            line = line.replace(place, own)
        program, *arguments = shlex.split(line)
        arguments = [target.rpartition("/")[2] if one == "drill" else one for one in arguments]
        subprocess.run([server.programs / program, *arguments], check=True, capture_output=True)
    return target


def test_what_was_dumped_is_restored_whole_and_serves(postgres, database, tmp_path, capsys) -> None:
    data = tmp_path / "data"
    store = open_store(data, database)
    key = filled(store)
    with store.reading() as connection:
        head = chain.head(connection)
    target = drilled(postgres, database, tmp_path)
    take(store, [decision("after the dump")])
    verify = ["monitor", "verify", "--database", target, "--data", str(data), "--head", head]
    assert main(verify) == 0
    copy = open_store(data, target)
    with store.reading() as one, copy.reading() as other:
        digests = {
            table.name: (copying.digest(one, table), copying.digest(other, table))
            for table in tables.metadata.sorted_tables
        }
    grown = {"predictions", "subjects", "cells", "chain", "chain_items", "streams"}
    assert {name for name, (before, after) in digests.items() if before != after} <= grown
    assert digests["predictions"][0][0] == digests["predictions"][1][0] + 1 == 10 * 40 + 9
    assert all(digests[name][0][0] > 0 for name in ("alerts", "api_keys", "users", "holds", "waiting_labels"))
    client = TestClient(create_app(Settings(copy)), base_url=HERE)
    assert client.get("/health").json()["status"] == "ok"
    bearer = {"Authorization": f"Bearer {key}"}
    assert [one["status"] for one in client.get("/v1/alerts", headers=bearer).json()] == ["alert"]
    events = [decision(name).model_dump(mode="json", exclude_none=True) for name in ("ä1", "after the dump")]
    told = client.post("/v1/events", json=events, headers=bearer).json()
    assert (told["accepted"], told["duplicates"]) == (1, 1)  # numbers of rows go on where they were
    assert chain.check(copy) == []
    assert [one.use_case for one in holding.listed(copy, EVERYBODY)] == ["loans"]
    copy.write(lambda connection: connection.exec_driver_sql("update predictions set decision = 0"))
    assert main(verify) == 1  # altered beside the service
    capsys.readouterr()
    copy.close()
    store.close()


def test_a_dump_that_is_older_than_the_published_head_is_found(postgres, database, tmp_path, capsys) -> None:
    store = open_store(tmp_path / "data", database)
    take(store, [decision("a")])
    target = drilled(postgres, database, tmp_path)
    take(store, [decision("b")])
    with store.reading() as connection:
        head = chain.head(connection)
    store.close()
    own = ["monitor", "verify", "--database", target, "--data", str(tmp_path / "data")]
    assert main(own) == 0
    assert main([*own, "--head", head]) == 1
    assert "head" in capsys.readouterr().out
