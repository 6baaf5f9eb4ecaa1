"""The plug-in in real runs of pytest, found by its entry point as an installer leaves it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evenhand.studies import store
from tests.support import records_factory as make
from tests.support.scripts import ROOT

POINTS = "[pytest11]\nevenhand = evenhand.publishing.pytest_plugin\n"
TESTS = """
import pytest

RUN = {run!r}

def test_met(evenhand_gate):
    assert [one.passed for one in evenhand_gate(RUN, "afgb<=0.5", "mass>=0.1")] == [True, True]

def test_not_met(evenhand_gate):
    evenhand_gate(RUN, "afgb<=0.5", "afgb<=0.0001")

def test_not_judged(evenhand_gate):
    evenhand_gate(RUN, "verdict==mitigated")

def test_no_run(evenhand_gate):
    evenhand_gate("nowhere", "afgb<=0.5")

def test_never_called(evenhand_gate):
    pass

@pytest.mark.skip(reason="later")
def test_skipped(evenhand_gate):
    evenhand_gate(RUN, "afgb<=0.5")

@pytest.mark.xfail
def test_expected_to_fail(evenhand_gate):
    evenhand_gate(RUN, "afgb<=0.0001")

@pytest.mark.evenhand_gate(RUN, "afgb<=0.5")
def test_mark_met():
    pass

@pytest.mark.evenhand_gate(RUN, "afgb<=0.0001")
def test_mark_not_met():
    raise RuntimeError("never reached")

@pytest.mark.evenhand_gate(RUN, "afgb.nothing<=0.5")
def test_mark_not_judged():
    pass

@pytest.mark.evenhand_gate("afgb<=0.5")
def test_mark_incomplete():
    pass

@pytest.mark.skip
def test_of_something_else():
    pass
"""
FAILURES = {"test_not_met", "test_mark_not_met"}
ERRORS = {
    "test_not_judged",
    "test_no_run",
    "test_never_called",
    "test_skipped",
    "test_expected_to_fail",
    "test_mark_not_judged",
    "test_mark_incomplete",
}
PASSED = {"test_met", "test_mark_met"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What pytest said, and the JUnit file that it wrote."""
    folder = tmp_path_factory.mktemp("project")
    about = folder / "site" / "evenhand_here-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: evenhand-here\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(POINTS)
    store.save_measurements(folder / "run", [make.genbiaseval()])
    (folder / "test_gates.py").write_text(TESTS.format(run=str(folder / "run")))
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    place = os.pathsep.join([str(folder / "site"), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:xdist", "--junit-xml=out.xml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": place, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout, folder / "out.xml"


def test_pytest_counts_three_states(ran) -> None:
    last = ran[0].strip().splitlines()[-1]
    counts = f"{len(FAILURES)} failed, {len(PASSED)} passed, 1 skipped, {len(ERRORS)} errors"
    assert last.startswith(counts), ran[0]


def test_the_junit_file_has_them_apart(ran) -> None:
    found: dict[str, set[str]] = {}
    for case in ElementTree.parse(ran[1]).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found.setdefault(kinds[0] if kinds else "passed", set()).add(case.get("name", ""))
        assert len(kinds) <= 1
    assert found == {
        "failure": FAILURES,
        "error": ERRORS,
        "skipped": {"test_of_something_else"},
        "passed": PASSED,
    }


def test_the_reasons_are_told(ran) -> None:
    cases = ElementTree.parse(ran[1]).iter("testcase")
    said = "\n".join(child.text or "" for case in cases for child in case)
    assert "FAILED: afgb<=0.0001 (genbiaseval.afgb.value is 0.48)" in said
    assert "nowhere" in said
    assert "and never called it" in said
    assert "the test was skipped or expected to fail" in said
    assert "The marker is no gate" in said
    assert "Traceback" not in said


def test_the_entry_point_is_the_one_that_is_installed() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"evenhand": "evenhand.publishing.pytest_plugin"}


def test_it_is_light_at_import() -> None:
    code = (
        "import sys, evenhand.publishing.pytest_plugin; "
        "print([m for m in ('torch', 'pandas', 'numpy', 'scipy', 'pyarrow', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
