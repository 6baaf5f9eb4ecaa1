"""What a launcher's variables do to the command line; the processes themselves are in ``tests/real``."""

from __future__ import annotations

import json

import pytest

from evenhand.cli import main, processes
from evenhand.models.together import team
from tests.support.ports import free_port


def _launched(patch: pytest.MonkeyPatch, *, rank: str = "0", size: str = "1") -> None:
    port = free_port()
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": rank}.items():
        patch.setenv(name, value)
    patch.setenv("WORLD_SIZE", size)


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")  # a batch system may set it, too
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert not processes.launched()
    assert (processes.size(), processes.rank(), team()) == (1, 0, None)


def test_the_number_of_a_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _launched(monkeypatch, rank="2", size="3")
    assert (processes.size(), processes.rank()) == (3, 2)
    monkeypatch.setenv("LOCAL_RANK", "no number")
    assert processes.local_rank() == 0


def test_a_verb_for_one_process_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _launched(monkeypatch)
    assert main(["ls", "metrics"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "`evenhand ls` is for one process" in err
    assert team() is None


def test_one_launched_process_measures_in_shares(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["measure", "lab:causal", "-b", "facts", "--batch-tokens", "64", "--json"]
    assert main(command) == 0
    alone = json.loads(capsys.readouterr().out)["measurements"][0]
    _launched(monkeypatch)
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)["measurements"][0]
    assert found["n"] == alone["n"]
    for name, estimate in alone["metrics"].items():
        assert found["metrics"][name]["value"] == pytest.approx(estimate["value"], abs=1e-5), name
    assert team() is None
