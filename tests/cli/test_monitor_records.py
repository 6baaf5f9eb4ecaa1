"""``evenhand monitor export`` and ``verify`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evenhand.cli import main
from tests.monitor.made import raw


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("EVENHAND_MONITOR_DATA", str(tmp_path / "data"))
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps(raw("a")) + "\n" + json.dumps(raw("b", use_case="jobs")) + "\n")
    assert main(["monitor", "ingest", str(events)]) == 0


def test_what_was_exported_is_verified_and_what_was_altered_is_named(tmp_path, capsys) -> None:
    out = tmp_path / "out"
    capsys.readouterr()
    assert main(["monitor", "export", str(out), "--use-case", "loans", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["records"] == {"chain": 1, "events": 1, "labels": 0, "cells": 2}
    command = ["monitor", "verify", str(out), "--head", found["head"], "--key", found["key"]]
    assert main(command) == 0
    assert "Everything holds." in capsys.readouterr().out
    (out / "README.txt").write_text("altered")
    assert main(command) == 1
    assert "README.txt: it was altered in bytes 0 to 7" in capsys.readouterr().out
    assert main(["monitor", "export", str(out)]) == 2
    assert main(["monitor", "verify", str(tmp_path)]) == 2
    assert "is no export that can be checked" in capsys.readouterr().err


def test_the_database_is_verified_against_a_head(capsys) -> None:
    assert main(["monitor", "verify"]) == 0
    assert main(["monitor", "verify", "--head", "1:" + "ab" * 32]) == 1
    assert "it was rewritten" in capsys.readouterr().out
