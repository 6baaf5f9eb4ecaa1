"""A Ray cluster on this machine: the figures of one process, and nothing lost with a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evenhand.studies.grid import running, table
from evenhand.studies.store import load_verification
from evenhand.testing import tiny

ROOT = Path(__file__).parents[2]
STUDY = """
mitigations = ["prompt", {with = "prompt", name = "other", text = ["Be calm.", "Be fair."]}, "cda"]
benchmarks = ["genbiaseval:split=heldout"]
capability = ["perplexity:text=lab"]
control = "none"
seeds = [0, 1]
limit = 6
"""
MARK = "EVENHAND_TEST_MARK"
VERIFY = ("lab:causal", "--with", "lftf", "--control", "reduced", "--limit", "60")

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def _ray() -> None:
    pytest.importorskip("ray")


def _started(*command: str, mark: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "evenhand", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), MARK: mark},
    )


def _ran(*command: str) -> None:
    started = _started(*command)
    _, err = started.communicate(timeout=600)
    assert started.returncode == 0, err


def _working(mark: str) -> list[int]:
    """The processes that do a piece of work of the command with that mark; Ray names them after it."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            own = f"{MARK}={mark}".encode() in place.with_name("environ").read_bytes().split(b"\0")
            if own and place.read_bytes().startswith(b"ray::_carried"):
                found.append(int(place.parent.name))
        except OSError:  # it has just ended
            continue
    return found


def _rows(found: running.StudyResult) -> list[dict[str, object]]:
    return [
        {k: v for k, v in row.items() if k not in {"minutes", "folder"}} for row in table.rows(found.outcomes)
    ]


def _same(mine: object, other: object) -> bool:
    if isinstance(mine, float) and isinstance(other, float):
        return mine == pytest.approx(other, abs=1e-6)
    return mine == other


def test_a_study_loses_nothing_with_a_worker_and_gives_the_same_table(tmp_path: Path) -> None:
    tiny.module("llama", max_position_embeddings=128).save_pretrained(tmp_path / "model")
    tiny.tokenizer().save_pretrained(tmp_path / "model")
    file = tmp_path / "small.toml"
    file.write_text(f'models = ["hf:{tmp_path / "model"}"]\n{STUDY}')
    alone = running.study(file, tmp_path / "alone")
    assert alone.complete
    place = ("--out", str(tmp_path / "ray"), "--on", "ray?cpus=1&gpus=0")
    begun = _started("study", "run", str(file), *place, mark=tmp_path.name)
    end, killed = time.monotonic() + 300, 0
    while not killed and begun.poll() is None and time.monotonic() < end:
        for process in _working(tmp_path.name)[:1]:
            os.kill(process, signal.SIGKILL)
            killed += 1
        time.sleep(0.05)
    _, err = begun.communicate(timeout=600)
    assert killed == 1
    assert begun.returncode == 0, err
    spread = running.study(file, tmp_path / "ray")  # every cell is read
    for mine, other in zip(_rows(spread), _rows(alone), strict=True):
        assert mine.keys() == other.keys()
        assert {name for name in mine if not _same(mine[name], other[name])} == set()


def test_control_models_made_by_workers_are_those_of_one_process(tmp_path: Path) -> None:
    _ran("verify", *VERIFY, "--out", str(tmp_path / "alone"))
    _ran("verify", *VERIFY, "--out", str(tmp_path / "ray"), "--on", "ray?cpus=1&gpus=0")
    alone, spread = (load_verification(tmp_path / name) for name in ("alone", "ray"))
    assert spread.verdict == alone.verdict
    assert spread.reasons == alone.reasons
    assert alone.control is not None
    assert spread.control is not None
    assert len(alone.control.families) >= 3
    for mine, other in zip(spread.control.families, alone.control.families, strict=True):
        assert (mine.family, mine.state) == (other.family, other.state)
        assert [(p.dose, p.seed) for p in mine.points] == [(p.dose, p.seed) for p in other.points]
        assert [p.bias for p in mine.points] == pytest.approx([p.bias for p in other.points], abs=1e-6)


def test_what_no_machine_has_is_said_at_once(tmp_path: Path) -> None:
    begun = _started("verify", *VERIFY, "--out", str(tmp_path / "run"), "--on", "ray?cpus=900")
    _, err = begun.communicate(timeout=300)
    assert begun.returncode == 2
    assert "No machine of the cluster has 900 CPUs for one piece of work" in " ".join(err.split())
    assert not (tmp_path / "run").exists()
