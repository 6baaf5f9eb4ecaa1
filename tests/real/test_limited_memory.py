"""A model that does not fit into a memory limit is scored from the disk, and answers as in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evenhand.testing import tiny

ROOT = Path(__file__).parents[2]
ROOM = 200 * 10**6

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 blocks of 4 · 512² + 3 · 512 · 2048 = 4.2 M weights: 101 MB as stored, 202 MB in float32."""
    made = tmp_path_factory.mktemp("large")
    shape: dict[str, Any] = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12}
    # transformers maps the files while it loads, and the limit counts that, too. So they are half as large.
    module = tiny.module("llama", num_key_value_heads=4, gain=1.0, **shape)
    module.bfloat16().save_pretrained(made, max_shard_size="20MB")
    tiny.tokenizer().save_pretrained(made)
    return made


def _limited(uri: str, room: int) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.real.limited", uri, str(room)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            # glibc would raise this limit as it runs and keep freed weights in a heap with holes, of which
            # nobody can say how large it grows. So each array of weights is a mapping of its own.
            "MALLOC_MMAP_THRESHOLD_": "1000000",
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        },
    )
    return done.returncode, done.stdout, done.stderr


def test_the_disk_serves_what_memory_cannot_hold(folder: Path) -> None:
    code, out, err = _limited(f"hf:{folder}", 10**12)
    assert code == 0, err
    plain = json.loads(out)
    code, out, err = _limited(f"hf:{folder}", ROOM)
    assert code == 4, (out, err)
    for query in ("device_map=disk", "device_map=auto&memory=40MB"):
        code, out, err = _limited(f"hf:{folder}?{query}", ROOM)
        assert code == 0, err
        found = json.loads(out)
        assert found["digest"] == plain["digest"]
        assert found["answers"] == pytest.approx(plain["answers"], abs=1e-6)
