"""A study that is killed goes on to the same table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evenhand.studies.grid import result, running, table
from evenhand.testing import tiny
from tests.support.small_study import SMALL as STUDY

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.real


def test_killed_studies_go_on_to_the_same_table(tmp_path: Path) -> None:
    """Three kills at three places: when a cell is stored, within a selection, and at the last cell."""
    tiny.module("llama", max_position_embeddings=128).save_pretrained(tmp_path / "model")
    tiny.tokenizer().save_pretrained(tmp_path / "model")
    file = tmp_path / "small.toml"
    file.write_text(f'models = ["hf:{tmp_path / "model"}"]\n{STUDY}')
    whole = running.study(file, tmp_path / "whole")
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from evenhand.studies import store\n"
        "from evenhand.studies.grid import running\n"
        "left, real = int(sys.argv[3]), store.write_atomically\n"
        "def write(*args, **options):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if left == 0:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(*args, **options)\n"
        "store.write_atomically = write\n"
        "running.study(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    out = tmp_path / "out"
    codes = [
        subprocess.run(
            [sys.executable, "-c", code, str(file), str(out), str(writes)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True,
            timeout=300, check=False,
        ).returncode
        for writes in (3, 14, 9)
    ]  # fmt: skip
    assert codes == [-signal.SIGKILL] * 3
    again = running.study(file, out)
    assert again.complete

    def figures(found: result.StudyResult) -> list[dict[str, Any]]:
        return [{k: v for k, v in row.items() if k != "minutes"} for row in table.rows(found.outcomes)]

    assert figures(again) == figures(whole)
    assert again.chosen == whole.chosen
