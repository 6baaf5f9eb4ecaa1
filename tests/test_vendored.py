"""Scripts of others: as they were published, and their licences beside them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from evenhand.vendored import FOLDER, SCRIPTS, Script

ROOT = Path(__file__).parents[1]
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.package)
def test_a_script_is_as_it_was_published(script: Script) -> None:
    assert hashlib.sha256((FOLDER / script.file).read_bytes()).hexdigest() == script.sha256
    assert f"src/evenhand/vendored/scripts/{script.file}\n" in NOTICE
    assert f"{script.package} {script.version} " in NOTICE
    assert script.version in script.text[:1000] or f'"{script.version}"' in script.text


def test_a_release_lists_the_scripts_beside_the_packages(tmp_path: Path) -> None:
    listed = tmp_path / "sbom.json"
    listed.write_text(json.dumps({"components": [{"name": "numpy"}]}))
    subprocess.run([sys.executable, ROOT / ".github" / "vendored.py", listed], check=True)
    names = [one["name"] for one in json.loads(listed.read_text())["components"]]
    assert names == ["numpy", *(one.package for one in SCRIPTS)]
    release = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert "python .github/vendored.py sbom.json" in release


def test_nothing_else_is_vendored() -> None:
    assert {one.name for one in FOLDER.glob("*.js")} == {one.file for one in SCRIPTS}
