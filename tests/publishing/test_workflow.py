"""The reusable workflow: what it declares, and its gate step run by bash as the runner would."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.scripts import ROOT

FILE = ROOT / ".github" / "workflows" / "evenhand-gate.yml"


@pytest.fixture(scope="module")
def workflow() -> dict:
    yaml = pytest.importorskip("yaml")
    return yaml.load(FILE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def test_it_can_be_called_and_changes_nothing(workflow) -> None:
    inputs = workflow["on"]["workflow_call"]["inputs"]
    assert {name for name, one in inputs.items() if one.get("required") == "true"} == {"conditions"}
    assert all(one["type"] == "string" for one in inputs.values())
    assert workflow["permissions"] == {"contents": "read"}


def test_inputs_reach_the_shell_as_variables_alone(workflow) -> None:
    """An input within a script could run as a part of it."""
    steps = workflow["jobs"]["gate"]["steps"]
    assert not any("${{" in step.get("run", "") for step in steps)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on this machine")
def test_the_gate_step_passes_every_condition(workflow, tmp_path: Path) -> None:
    (step,) = [one for one in workflow["jobs"]["gate"]["steps"] if one.get("name") == "Gate"]
    stub = tmp_path / "evenhand"
    stub.write_text('#!/bin/sh\nfor one in "$@"; do echo "<$one>"; done\n')
    stub.chmod(0o755)
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        env={
            **os.environ,
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "RUN": "my run",
            "CONDITIONS": "afgb <= 0.2\n\n  \nmass>=0.1\n",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:-1] == [
        "<gate>",
        "<my run>",
        "<afgb <= 0.2>",
        "<mass>=0.1>",
        "<--junit>",
        "<evenhand-gate.xml>",
        "<--github>",
    ]
