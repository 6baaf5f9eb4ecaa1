"""The lab behind a server in another process that dies in the middle: no answer is lost, none paid twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
LIMIT = "120"
IN_FLIGHT = 8  # requests under way at once, unless the address says otherwise

pytestmark = pytest.mark.real


def _served(port: int, log: Path) -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.real.served", str(port), str(log)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    return server


def _measured(uri: str, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "evenhand", "measure", uri, "-b", "genbiaseval", "--limit", LIMIT, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EVENHAND_CACHE": str(cache), "PYTHONPATH": str(ROOT / "src")},
    )


def _asked(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def _figures(answer: str) -> dict[str, Any]:
    [measurement] = json.loads(answer)["measurements"]
    return {name: estimate["value"] for name, estimate in measurement["metrics"].items()}


def test_a_server_that_dies_in_the_middle_costs_no_answer(tmp_path: Path) -> None:
    port = free_port()
    log, cache = tmp_path / "asked", tmp_path / "cache"
    uri = f"openai:http://127.0.0.1:{port}/v1?api=completions&retries=1#tiny"
    server = _served(port, log)
    command = _measured(uri, cache)
    while len(_asked(log)) < 20:
        assert command.poll() is None, command.communicate()
        time.sleep(0.01)
    server.send_signal(signal.SIGKILL)
    server.wait()
    _, error = command.communicate(timeout=300)
    assert command.returncode == 4, error
    assert "Traceback" not in error
    before = len(_asked(log))

    server = _served(port, log)
    try:
        answer, error = _measured(uri, cache).communicate(timeout=300)
    finally:
        server.kill()
        server.wait()
    whole, _ = _measured("lab:causal", Path(os.environ["EVENHAND_CACHE"])).communicate(timeout=300)
    assert _figures(answer) == pytest.approx(_figures(whole), abs=1e-4)
    asked = _asked(log)
    assert len(asked) > before, "the second command had something left to ask"
    assert len(asked) - len(set(asked)) <= IN_FLIGHT, "only what was under way at the kill is asked twice"
