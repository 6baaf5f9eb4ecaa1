"""What the workflows, the citation and the package say of versions is one thing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import evenhand

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def test_tests_run_on_every_version_that_is_promised() -> None:
    promised = [
        found[1]
        for one in _project()["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", one))
    ]
    workflow = _read(ROOT / ".github" / "workflows" / "ci.yml")
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == promised
    assert _project()["requires-python"] == f">={promised[0]}"


def test_the_citation_is_of_this_version() -> None:
    citation = _read(ROOT / "CITATION.cff")
    assert citation["version"] == evenhand.__version__
    assert citation["license"] == _project()["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_no_more_than_it_says(path: Path) -> None:
    workflow = _read(path)
    assert workflow["permissions"] == {"contents": "read"}  # a job that writes says so itself
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"[\w.-]+/[\w./-]+@[\w./-]+", step["uses"])
            assert "github.event" not in str(step.get("run", ""))  # text of strangers in a shell


def test_what_a_workflow_makes_exists() -> None:
    told = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", told, re.MULTILINE))
    for path in WORKFLOWS:
        runs = "\n".join(str(s.get("run", "")) for job in _read(path)["jobs"].values() for s in job["steps"])
        assert set(re.findall(r"\bmake ([a-z-]+)", runs)) <= targets
