"""Runs of every schema: today's carry what made them, older ones are filled in, newer ones refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import BadData
from evenhand.provenance import made_by
from evenhand.schema import SCHEMA
from evenhand.studies.store import (
    Store,
    load_measurements,
    load_run,
    load_verification,
    save_measurements,
    save_verification,
)
from evenhand.studies.verbs import locate, measure, mitigate, verify
from evenhand.treatments import load
from tests.studies.test_store import example
from tests.support import records_factory as factory

SAVED = Path(__file__).parents[1] / "golden" / "saved"
MADE = made_by(factory.MODEL, packages=("numpy",))


def renumbered(file: Path, number: int) -> None:
    body: dict[str, Any] = json.loads(file.read_text())
    file.write_text(json.dumps({**body, "schema": number}))


def test_what_made_them_makes_the_round_trip(tmp_path: Path) -> None:
    taken = dataclasses.replace(example(), made_by=MADE)
    save_measurements(tmp_path / "m", [taken])
    assert load_measurements(tmp_path / "m")[0].made_by == MADE
    record = dataclasses.replace(factory.verification(), made_by=MADE, before=(taken,), after=(taken,))
    path = save_verification(tmp_path / "v", record)
    found = load_verification(tmp_path / "v")
    assert (found.made_by, found.before[0].made_by) == (MADE, MADE)
    envelope = json.loads(path.read_text())
    assert (envelope["format"], envelope["schema"]) == ("evenhand/verification", SCHEMA)


def test_a_newer_run_is_refused_and_a_newer_cell_is_computed_again(tmp_path: Path) -> None:
    renumbered(save_measurements(tmp_path / "m", [example()]), SCHEMA + 1)
    renumbered(save_verification(tmp_path / "v", factory.verification()), SCHEMA + 1)
    for folder in ("m", "v"):
        with pytest.raises(BadData, match=r"written by a newer evenhand, in schema 3; .*Upgrade"):
            load_run(tmp_path / folder)
    store, key = Store(tmp_path), "ab" * 32
    store.cell(key, example)
    renumbered(store.path(key), SCHEMA + 1)
    assert store.get(key) is None


def test_reading_leaves_the_files_as_they_are() -> None:
    files = [path for path in SAVED.rglob("*") if path.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    for name in ("run", "measured"):
        load_run(SAVED / name)
    for name in ("weights", "rule", "run/treatment"):
        assert load(SAVED / name).about.made_by is None
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files} == before
    assert load_verification(SAVED / "run").made_by is None


def test_a_newer_treatment_is_refused(tmp_path: Path) -> None:
    shutil.copytree(SAVED / "rule", tmp_path / "rule")
    renumbered(tmp_path / "rule" / "mitigation.json", SCHEMA + 1)
    with pytest.raises(BadData, match=r"mitigation\.json was written by a newer evenhand, in schema 3"):
        load(tmp_path / "rule")


def test_every_verb_says_what_made_its_record(uri: str, tmp_path: Path) -> None:
    taken = measure(uri, "genbiaseval", limit=4, out=tmp_path / "measured")[0]
    assert load_measurements(tmp_path / "measured")[0].made_by == taken.made_by
    found = locate(uri, "random")
    summary = mitigate(uri, "prompt", tmp_path / "treated")
    record = verify(uri, "prompt", limit=4, control="none", out=tmp_path / "run")
    made = [taken.made_by, found.made_by, summary["made_by"], record.made_by]
    assert [(one.device, one.dtype) for one in made] == [("cpu", "float32")] * 4
    assert set(taken.made_by.packages) == {"numpy", "torch", "transformers"}  # type: ignore[union-attr]
    assert load(tmp_path / "treated").about.made_by == summary["made_by"]
    card = json.loads((tmp_path / "treated" / "mitigation.json").read_text())
    assert (card["schema"], card["made_by"]["device"]) == (SCHEMA, "cpu")
    assert all(m.made_by == record.made_by for m in (*record.before, *record.after))
