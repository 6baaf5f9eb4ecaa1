"""``evenhand monitor messages``, ``retention``, ``hold`` and ``erase`` as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evenhand.cli import main
from evenhand.monitor import watching
from evenhand.monitor.ingest import take
from evenhand.monitor.policy import read_policy
from evenhand.monitor.roles import EVERYBODY
from evenhand.monitor.store import Store, open_store
from tests.monitor.made import decision
from tests.monitor.receiving import hook
from tests.monitor.test_watching import day

RULE = '[[rule]]\nindicator = "selection_rate"\nattribute = "sex"\ntolerance = {ratio = 0.8}\n'


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("EVENHAND_MONITOR_DATA", str(tmp_path / "data"))


@pytest.fixture
def store(tmp_path: Path):
    opened: Store = open_store(tmp_path / "data")
    yield opened
    opened.close()


def test_messages_are_listed_and_tried(tmp_path, capsys, store: Store) -> None:
    with hook() as web:
        policy = tmp_path / "policy.toml"
        policy.write_text(f'minimum = 20\nnotify = "{web.address}"\n{RULE}')
        for number in range(12):
            unfair = day(number, selected={"f": 10, "m": 40})
            take(store, unfair, after=watching.Watcher(read_policy(policy)).after)
        assert main(["monitor", "messages", "ls", "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["messages"]
        assert (row["state"], row["change"], row["problem"]) == ("waiting", "opened", None)
        assert main(["monitor", "messages", "ls"]) == 0
        assert "canary" not in capsys.readouterr().out
        assert main(["monitor", "messages", "retry", "1"]) == 2
        assert "no failed message named '1'" in capsys.readouterr().err
        assert main(["monitor", "messages", "test", "--policy", str(policy)]) == 0
        web.codes = [500]
        assert main(["monitor", "messages", "test", "--policy", str(policy), "--json"]) == 4
        (tried,) = json.loads(capsys.readouterr().out.partition("\n")[2])["receivers"]
        assert tried["problem"] == "it answered 500"
        assert len(web.got) == 2


def test_holds_erasure_and_retention(tmp_path, capsys, store: Store) -> None:
    take(store, [decision("a"), decision("b")])
    policy = tmp_path / "policy.toml"
    policy.write_text(f"[retention]\nevents_days = 1e-9\n{RULE}")
    why, of = ["--why", "asked for"], ["--use-case", "loans"]
    assert main(["monitor", "hold", "add", *of, "--subject", "a", "--why", "case 7"]) == 0
    assert main(["monitor", "erase", "a", "b", *of, *why]) == 2
    assert "legal hold keeps 1 of these" in capsys.readouterr().err
    assert main(["monitor", "erase", "b", *of, *why, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"] == 1
    run = ["monitor", "retention", "run", "--policy", str(policy)]
    assert main(run) == 0
    assert "0 events" in capsys.readouterr().out
    assert main(["monitor", "hold", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["holds"]
    assert (row["person"], row["why"], row["by"].startswith("command line")) == (True, "case 7", True)
    assert main(["monitor", "hold", "remove", "1", *why]) == 0
    assert main(["monitor", "hold", "remove", "1", *why]) == 2
    capsys.readouterr()
    assert main([*run, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"] == 1
    assert main(run) == 0
    assert "1 events" in capsys.readouterr().out
    assert main(["monitor", "hold", "list"]) == 0
    assert main(["monitor", "verify"]) == 0


def test_files_raise_alerts_by_the_policy(tmp_path, capsys, store: Store) -> None:
    policy, lines = tmp_path / "policy.toml", tmp_path / "a.jsonl"
    policy.write_text(f"minimum = 20\n{RULE}")
    unfair = [event for number in range(12) for event in day(number, selected={"f": 10, "m": 40})]
    lines.write_text("\n".join(one.model_dump_json(exclude_none=True) for one in unfair))
    assert main(["monitor", "ingest", str(lines)]) == 0
    assert watching.listed(store, EVERYBODY) == []
    for one in unfair:
        one.prediction_id += "b"
    lines.write_text("\n".join(one.model_dump_json(exclude_none=True) for one in unfair))
    assert main(["monitor", "ingest", str(lines), "--policy", str(policy)]) == 0
    assert [one.status for one in watching.listed(store, EVERYBODY)] == ["alert"]
    policy.write_text(RULE.replace("selection_rate", "dpd"))
    assert main(["monitor", "ingest", str(lines), "--policy", str(policy)]) == 2
    assert "no share by group" in capsys.readouterr().err


def test_the_service_sends_what_waits_and_logs_no_address(tmp_path, store: Store) -> None:
    with hook() as web:
        policy = tmp_path / "policy.toml"
        policy.write_text(f'minimum = 20\nnotify = "{web.address}"\n{RULE}')
        for number in range(12):
            unfair = day(number, selected={"f": 10, "m": 40})
            take(store, unfair, after=watching.Watcher(read_policy(policy)).after)
        web.codes = [500]
        process = subprocess.Popen(
            [sys.executable, "-m", "evenhand", "monitor", "serve", "--port", "0", "--policy", str(policy)],
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        try:
            deadline = time.monotonic() + 120
            while not web.got and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
    assert [json.loads(body)["change"] for _, body in web.got] == ["opened"]
    assert "is not sent: it answered 500" in told
    assert "canary" not in told
