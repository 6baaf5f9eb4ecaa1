"""The guest package as an installer leaves it: its modules and a ``dist-info`` with its entry points."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
POINTS = """\
[evenhand.benchmarks]
guestbench = evenhand_guest.bench:Guestbench
guestbroken = evenhand_guest.broken:Guestbroken

[evenhand.metrics]
guestgap = evenhand_guest.gap:GUESTGAP

[evenhand.cases]
guestbench = evenhand_guest.bench:CASE
guestgap = evenhand_guest.gap:CASE
"""


def install(folder: Path) -> None:
    """Put the package into `folder`, which then stands for ``site-packages``."""
    shutil.copytree(
        HERE / "evenhand_guest", folder / "evenhand_guest", ignore=shutil.ignore_patterns("__pycache__")
    )
    describe(folder, POINTS)


def describe(folder: Path, points: str) -> None:
    """Write the package's ``dist-info`` with its entry points."""
    about = folder / "evenhand_guest-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: evenhand-guest\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(points)


def run(site: Path, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``python -m WORDS`` in the folder `place`, far from the repository, with the guest in `site`."""
    paths = os.pathsep.join((str(site), str(SOURCE)))
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=place,
        env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
