"""``evenhand monitor`` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from evenhand.cli import main
from tests.monitor.made import raw


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("EVENHAND_MONITOR_DATA", str(tmp_path / "data"))


def test_a_key_is_printed_once_and_can_be_revoked(capsys) -> None:
    assert main(["monitor", "keys", "create", "--name", "app", "--use-case", "loans"]) == 0
    out, told = capsys.readouterr()
    key = out.strip()
    assert out == f"{key}\n"
    assert (key.startswith("evh_"), len(key), "not shown again" in told) == (True, 47, True)
    assert main(["monitor", "keys", "ls"]) == 0
    listed = capsys.readouterr().out
    assert ("app" in listed, key in listed) == (True, False)
    assert main(["monitor", "keys", "revoke", "1"]) == 0
    capsys.readouterr()
    main(["monitor", "keys", "ls", "--json"])
    (row,) = json.loads(capsys.readouterr().out)["keys"]
    assert (row["state"], row["scopes"], row["use_cases"]) == ("revoked", ["ingest"], ["loans"])
    assert main(["monitor", "keys", "revoke", "7"]) == 2
    assert main(["monitor", "keys", "create", "--scope", "reed"]) == 2
    assert "Did you mean 'read'" in capsys.readouterr().err


def test_files_are_stored_once(tmp_path, capsys) -> None:
    lines = tmp_path / "a.jsonl"
    lines.write_text("\n".join(json.dumps(raw(f"{i}")) for i in range(3)) + "\n\n")
    table = tmp_path / "b.parquet"
    pd.DataFrame(
        {
            "prediction_id": ["2", "3", "4"],
            "use_case": "loans",
            "model": "scorer",
            "time": pd.to_datetime(["2026-03-01T12:00:00Z"] * 3),
            "score": [0.5, 0.25, float("nan")],
            "decision": [1, 0, 1],
            "attributes.sex": ["f", None, "m"],
        }
    ).to_parquet(table)
    assert main(["monitor", "ingest", str(lines), str(table), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["accepted"], found["duplicates"]) == (5, 1)
    lines.write_text(json.dumps(raw("9")) + "\n" + json.dumps({"prediction_id": "x"}) + "\n")
    assert main(["monitor", "ingest", str(lines)]) == 2
    assert "row 2: model: Field required" in capsys.readouterr().err
    lines.write_text("{")
    assert main(["monitor", "ingest", str(lines)]) == 2
    assert "line 1 cannot be read" in capsys.readouterr().err


def test_what_must_not_start_does_not(tmp_path, capsys) -> None:
    assert main(["monitor", "serve", "--host", "0.0.0.0", "--no-auth"]) == 2
    assert main(["monitor", "serve", "--policy", str(tmp_path / "none.toml"), "--port", "0"]) == 2
    assert main(["monitor", "serve", "--database", "mysql://user:canary@x/y"]) == 2
    assert "canary" not in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["monitor", "serve", "--port", str(taken.getsockname()[1])]) == 4
    assert "cannot be listened at" in capsys.readouterr().err


def test_single_sign_on_needs_its_proxies_before_it_starts(tmp_path, capsys) -> None:
    own = tmp_path / "sso.toml"
    serve = ["monitor", "serve", "--port", "0", "--sso", str(own)]
    for text, said in (
        ('header = "X-User"', "proxies is missing"),
        ('header = "X-User"\nproxies = ["0.0.0.0/0"]', "nearly everybody"),
        ('header = "X-User"\nproxies = ["127.0.0.1"]', "--sso would do nothing"),
    ):
        own.write_text(text)
        assert main([*serve, *(["--no-auth"] if "127" in text else [])]) == 2
        assert said in capsys.readouterr().err


def test_users_and_the_database(tmp_path, capsys, monkeypatch) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert main(["monitor", "users", "add", "ann"]) == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("a longer password\n"))
    assert main(["monitor", "users", "add", "ann", "--role", "admin"]) == 0
    assert main(["monitor", "users", "ls"]) == 0
    assert main(["monitor", "users", "disable", "ann"]) == 0
    assert main(["monitor", "users", "disable", "bob"]) == 2
    assert main(["monitor", "users", "add", "eve", "--sso"]) == 0  # no password is asked for
    assert main(["monitor", "users", "sso", "ann"]) == 0
    assert main(["monitor", "users", "sso", "bob"]) == 2
    capsys.readouterr()
    assert main(["monitor", "users", "ls", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["users"]
    assert [(one["name"], one["sso"], one["disabled"]) for one in listed] == [
        ("ann", True, True),
        ("eve", True, False),
    ]
    assert main(["monitor", "db", "backup", str(tmp_path / "b.sqlite")]) == 0
    assert main(["monitor", "db", "downgrade", "0001"]) == 0
    capsys.readouterr()
    assert main(["monitor", "keys", "ls"]) == 4
    assert "evenhand monitor db upgrade" in capsys.readouterr().err
    assert main(["monitor", "db", "upgrade"]) == 0
    assert main(["monitor", "db", "copy", str(tmp_path / "no"), "postgresql://x/y"]) == 2


def test_the_service_starts_takes_events_and_stops_in_order(tmp_path, capsys) -> None:
    main(["monitor", "keys", "create"])
    key = capsys.readouterr().out.strip()
    process = subprocess.Popen(
        [sys.executable, "-m", "evenhand", "monitor", "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    try:
        assert process.stderr is not None
        where = process.stderr.readline().split()[-1]
        assert json.load(_opened(f"{where}/health"))["status"] == "ok"
        body = json.dumps([raw("a")]).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        request = urllib.request.Request(f"{where}/v1/events", body, headers)
        assert json.load(urllib.request.urlopen(request))["accepted"] == 1
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(urllib.request.Request(f"{where}/v1/events", b"[]"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert key not in process.stderr.read()
    finally:
        process.kill()
        process.wait()


def _opened(address: str):
    for _ in range(300):
        try:
            return urllib.request.urlopen(address)
        except urllib.error.URLError:
            time.sleep(0.1)
    return urllib.request.urlopen(address)
