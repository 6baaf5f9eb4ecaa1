"""Modules of this repository in several processes, which torchrun starts as a user's would be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]


def started(count: int, *command: str) -> subprocess.Popen[str]:
    """A module with its arguments in so many processes, 0 for one without a launcher."""
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={count}", f"--master-port={free_port()}"]
    return subprocess.Popen(
        [sys.executable, *(launcher if count else ()), "-m", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )


def ran(count: int, *command: str, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    """The same, once it has ended.

    Raises:
        TimeoutExpired: it has not within so many seconds; it is killed.
    """
    with started(count, *command) as one:
        try:
            out, err = one.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            one.kill()
            raise
    return subprocess.CompletedProcess(one.args, one.returncode, out, err)
