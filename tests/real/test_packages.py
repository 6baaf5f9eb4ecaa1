"""What is released: a wheel and an archive of the source, installed where no source is near."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAVED = ROOT / "tests" / "golden" / "saved" / "run"
PACKAGE = "src/evenhand/"

pytestmark = pytest.mark.real


def _done(command: Sequence[str], where: Path) -> str:
    """The output of a command that knows nothing of this source."""
    told = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EVENHAND"))}
    done = subprocess.run(command, cwd=where, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _held(path: Path) -> set[str]:
    """The files of a wheel, or of an archive below its own folder."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return set(wheel.namelist())
    with tarfile.open(path) as archive:
        return {one.name.partition("/")[2] for one in archive.getmembers() if one.isfile()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the archive."""
    folder = tmp_path_factory.mktemp("dist")
    _done([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], ROOT)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel, and what it depends on from this one."""
    folder = tmp_path_factory.mktemp("installed")
    _done([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    programs = folder / "venv" / "bin"
    _done([str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-deps", str(built[0])], folder)
    place = _done(
        [str(programs / "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder
    )
    # The .pth files of a folder that a .pth file names are not read: it stays out of sight.
    (Path(place.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return programs


def test_the_wheel_holds_what_the_source_holds(built: tuple[Path, Path]) -> None:
    tracked = _done(["git", "ls-files", PACKAGE], ROOT).split()
    wheel = {name for name in _held(built[0]) if ".dist-info/" not in name}
    assert wheel == {name.removeprefix("src/") for name in tracked}
    licences = {name.rpartition("/")[2] for name in _held(built[0]) if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}
    archive = _held(built[1])
    assert {*tracked, "README.md", "LICENSE", "NOTICE", "CITATION.cff", "pyproject.toml"} <= archive


def test_what_is_installed_works(installed: Path, tmp_path: Path) -> None:
    program = str(installed / "evenhand")
    where = _done([str(installed / "python"), "-c", "import evenhand; print(evenhand.__file__)"], tmp_path)
    assert str(ROOT) not in where
    listed = json.loads(_done([program, "ls", "benchmarks", "--json"], tmp_path))
    assert "genbiaseval" in json.dumps(listed)
    _done([program, "report", str(SAVED), "--html", "page.html"], tmp_path)  # templates and scripts are there
    assert (tmp_path / "page.html").stat().st_size < 3e6
    _done([program, "plan", "lab:causal", "--with", "lftf"], tmp_path)
    _done([program, "monitor", "db", "upgrade", "--data", "monitor"], tmp_path)  # so are the migrations
    assert json.loads(_done([program, "doctor", "--json"], tmp_path))["healthy"]


def test_pytest_finds_the_gate_of_what_is_installed(installed: Path, tmp_path: Path) -> None:
    said = _done([str(installed / "python"), "-m", "pytest", "--fixtures", "-q"], tmp_path)
    assert "evenhand_gate" in said
