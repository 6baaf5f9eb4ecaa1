"""Commands that are killed lose nothing: three kills of each; `perf/kills.py` makes hundreds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.real


def test_nine_kills_lose_nothing_and_leave_nothing() -> None:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kills", "0", "3"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [kill for kill in found if kill["faults"] or kill["stood"] not in {"old", "new"}] == []
    struck = Counter(kill["verb"] for kill in found if kill["struck"])
    assert struck == {"mitigate": 3, "measure": 3, "verify": 3}
    assert all("step" in kill["where"] for kill in found if kill["struck"])
