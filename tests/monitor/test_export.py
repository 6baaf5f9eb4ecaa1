"""An export verifies; an altered byte is named; other use cases stay out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet
from sqlalchemy import delete

from evenhand.errors import BadOption
from evenhand.monitor import chain, verifier
from evenhand.monitor.events import Label
from evenhand.monitor.export import Contents, export, public_key
from evenhand.monitor.ingest import join, take
from evenhand.monitor.pseudonyms import pseudonym
from evenhand.monitor.store import Store
from evenhand.monitor.store.tables import predictions, subjects
from tests.monitor.made import decision


@pytest.fixture
def made(store: Store, tmp_path: Path) -> Path:
    """An export of two use cases, one label, a policy, and a setting."""
    take(store, [decision("a", score=0.25), decision("b", attributes={"sex": "m"})])
    take(store, [decision("x", use_case="hiring", attributes={"race": "blue"})], keep_texts=True)
    join(store, [Label(prediction_id="a", use_case="loans", label=0)])
    store.write(lambda c: chain.append(c, "configuration", {"alpha": 0.05}, use_case="hiring"))
    out = tmp_path / "out"
    export(store, out, Contents(settings={"keep_texts": False}, policy="alpha = 0.05\n"))
    return out


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_is_whole_and_verifies(made: Path, store: Store) -> None:
    assert list(verifier.faults(made)) == []
    assert [json.loads(r["content"])["prediction_id"] for r in _lines(made / "events.jsonl")] == [
        "a",
        "b",
        "x",
    ]
    assert len(_lines(made / "labels.jsonl")) == 1
    table = parquet.read_table(made / "events.parquet").to_pylist()
    assert [(row["prediction_id"], row["score"]) for row in table] == [("a", 0.25), ("b", None), ("x", None)]
    everybody = [row for row in _lines(made / "cells.jsonl") if row["attribute"] == ""]
    assert [(row["use_case"], row["events"]) for row in everybody] == [("loans", 2), ("hiring", 1)]
    assert (made / "policy.toml").read_text() == "alpha = 0.05\n"
    assert {p.name for p in (made / "profiles").iterdir()} == {
        "ai_act.toml",
        "ll144.toml",
        "nist.toml",
        "ugesp.toml",
    }
    assert store.secret.hex() not in "".join(
        p.read_text(errors="replace") for p in made.rglob("*") if p.is_file()
    )


def test_the_copy_of_the_verifier_runs_alone(made: Path, store: Store) -> None:
    with store.reading() as connection:
        head = chain.head(connection)
    command = [sys.executable, "-I", "-S", str(made / "verifier.py"), str(made)]
    done = subprocess.run([*command, "--head", head], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Everything holds: 4 entries, head {head}\n")
    assert public_key(store.secret) in done.stdout


@pytest.mark.parametrize(
    ("name", "find", "told"),
    [
        ("events.jsonl", b'"a', "events.jsonl: it was altered in bytes 0 to"),
        (
            "policy.toml",
            b"5",
            "policy.toml: it was altered in bytes 0 to 13 (13 bytes, 13 when it was signed)",
        ),
        ("cells.jsonl", b"1", "cells.jsonl: it was altered"),
        ("chain.jsonl", b"events", "entry 1 of the chain: its time, kind or digest was altered"),
        ("manifest.json", b"1", "manifest.json: its signature does not hold"),
        ("events.parquet", b"loans", "events.parquet: it was altered"),
    ],
)
def test_an_altered_byte_is_named(made: Path, name: str, find: bytes, told: str) -> None:
    data = bytearray((made / name).read_bytes())
    data[data.index(find) + len(find) - 1] ^= 1
    (made / name).write_bytes(data)
    assert any(fault.startswith(told) for fault in verifier.faults(made))


def test_an_altered_record_is_named(made: Path) -> None:
    path = made / "events.jsonl"
    path.write_text(path.read_text().replace('\\"score\\":0.25', '\\"score\\":0.75'))
    assert "events.jsonl, record 1 (prediction 'a'): it is not what entry 1 recorded" in list(
        verifier.faults(made)
    )


def test_a_byte_deep_in_a_file_is_located(made: Path) -> None:
    path = made / "big"
    path.write_bytes(b"." * 200_000)
    whole, blocks = verifier.blocks_of(path)
    path.write_bytes(b"." * 150_000 + b"!" + b"." * 49_999)
    about = {"bytes": 200_000, "sha256": whole, "blocks": blocks}
    (fault,) = verifier._file_faults(made, "big", about)
    assert fault.startswith("big: it was altered in bytes 131072 to 196608 ")  # 2 and 3 blocks of 65536
    path.write_bytes(b"." * 199_999)
    (fault,) = verifier._file_faults(made, "big", about)
    assert fault.startswith("big: it was altered in bytes 196608 to 199999 ")


def test_missing_and_further_files_are_named(made: Path) -> None:
    (made / "policy.toml").unlink()
    (made / "extra.txt").write_text("x")
    assert list(verifier.faults(made)) == [
        "policy.toml: it is missing",
        "extra.txt: the manifest does not name it",
    ]


def test_a_manifest_cannot_name_files_elsewhere(made: Path) -> None:
    (fault,) = verifier._file_faults(made, "../secret.key", {})
    assert fault == "../secret.key: the manifest names a file outside the export"


def test_another_history_under_the_same_key_is_found_by_the_head(
    made: Path, store: Store, tmp_path: Path
) -> None:
    head = _lines(made / "chain.jsonl")[1]

    def anew(connection):
        connection.execute(delete(chain.chain_items))
        connection.execute(delete(chain.chain))
        for number in range(5):
            chain.append(connection, "configuration", {"number": number})

    store.write(anew)
    other = tmp_path / "other"
    export(store, other)
    published = f"{head['number']}:{head['head']}"
    assert list(verifier.faults(made, published)) == []
    assert list(verifier.faults(other)) == []
    assert "it was rewritten" in next(verifier.faults(other, published))
    assert list(verifier.faults(made, key="ab" * 32)) == ["public.key: it is not the key that was published"]


def test_one_use_case_alone(made: Path, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "loans"
    told = export(store, out, Contents(use_cases=["loans"], parquet=False))
    assert told.records == {"chain": 4, "labels": 1, "events": 2, "cells": 3}
    assert list(verifier.faults(out)) == []
    everything = "".join(path.read_text() for path in out.rglob("*.jsonl"))
    assert "blue" not in everything
    assert "alpha" not in everything
    assert _lines(out / "chain.jsonl")[3]["content"] is None


def test_what_was_erased_is_not_exported_and_the_export_verifies(
    made: Path, store: Store, tmp_path: Path
) -> None:
    name = pseudonym(store.secret, 1, "a")

    def erase(connection):
        connection.execute(delete(predictions).where(predictions.c.prediction_id == "a"))
        connection.execute(delete(subjects).where(subjects.c.pseudonym == name))
        chain.forget(connection, [name], why="asked for", by="admin")

    store.write(erase)
    export(store, tmp_path / "later")
    assert list(verifier.faults(tmp_path / "later")) == []
    assert '"a\\' not in (tmp_path / "later" / "events.jsonl").read_text()


def test_it_writes_over_nothing(made: Path, store: Store) -> None:
    with pytest.raises(BadOption, match="is there already"):
        export(store, made)
    assert sorted(p.name for p in made.parent.iterdir() if p.name.startswith(".")) == []
