"""The study of one verification on a tiny model: the whole loop, its files, and what survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from evenhand.records import VerdictName
from evenhand.studies.store import load_verification
from evenhand.studies.verbs import VerifyOptions, verify

pytestmark = pytest.mark.usefixtures("few_examples")

FAST = {"limit": 24, "control": "reduced", "capability": ("facts:set=world", "perplexity")}
ROOT = Path(__file__).parents[2]
COMMAND = """
    import sys
    from evenhand.cli import main
    from tests.studies.conftest import train_on_few
    train_on_few()
    sys.exit(main(sys.argv[1:]))
"""


def _files(folder: Path) -> dict[str, bytes]:
    kept = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept}


@pytest.fixture(scope="module")
def finished(uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    verify(uri, "lftf:epochs=8,lr=0.01,batch=8", VerifyOptions(out=folder, **FAST))  # type: ignore[arg-type]
    return folder


def test_a_random_model_is_honestly_without_evidence(finished: Path) -> None:
    record = load_verification(finished)
    assert record.verdict in (VerdictName.NO_EVIDENCE, VerdictName.CAPABILITY_LOSS)
    assert record.limited
    assert any(reason.startswith("Before: At chance on facts:set=world") for reason in record.reasons)
    assert not any("At chance" in note and note in record.reasons for note in record.notes)
    assert [m.benchmark for m in record.before] == [
        "genbiaseval:split=heldout",
        "genhinteval",
        "genhinteval:form=sentence786",
        "facts:set=world",
        "perplexity",
    ]
    assert record.proof["max_logprob_change"] > 0
    assert record.location is not None
    assert record.location.locator == "bmi"
    assert record.control is not None
    assert not record.control.reduced


def test_control_models_stand_around_the_treated_one_and_are_different_models(finished: Path) -> None:
    """A family whose models share a seed is one model counted several times: its spread would be 0."""
    control = load_verification(finished).control
    assert control is not None
    assert {f.family for f in control.families} == {"sham", "plain text", "noise", "noise elsewhere"}
    assert control.size is not None
    for family in control.families:
        points = family.points
        assert len({point.seed for point in points}) == len(points) == 6
        assert len({(point.capability, point.bias) for point in points}) == 6, family.family
        assert family.state != "matched" or min(p.dose for p in points) <= (family.dose or 0) * 2
        assert all(point.size is not None for point in points)


def test_how_far_the_treated_model_moved_is_part_of_the_record(finished: Path) -> None:
    record = load_verification(finished)
    assert record.beside[0].benchmark == "shift"
    names = [guard.name for guard in record.guards]
    assert "rest of the distribution (text)" in names
    assert "hints (genhinteval:form=sentence786)" in names


def test_the_same_command_again_changes_no_byte(uri: str, finished: Path) -> None:
    before = _files(finished)
    verify(uri, "lftf:epochs=8,lr=0.01,batch=8", VerifyOptions(out=finished, **FAST))  # type: ignore[arg-type]
    assert _files(finished) == before


@pytest.mark.slow  # `make parts` kills a verification three times (tests/real/test_kills.py)
def test_a_killed_run_resumes_to_the_same_files(uri: str, finished: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        textwrap.dedent(COMMAND),
        "verify",
        uri,
        "--with",
        "lftf:epochs=8,lr=0.01,batch=8",
        "--out",
        str(tmp_path),
    ]
    command += ["--limit", "24", "--control", "reduced", "--capability", "facts:set=world,perplexity"]
    silent = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **silent)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("cells/*/*.json"))) < 10 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "verification.json").exists(), "the run ended before it could be killed"
    subprocess.run(command, check=True, **silent)
    resumed = _files(tmp_path)
    resumed.pop("report.html")
    assert resumed == _files(finished)


@pytest.mark.parametrize("spec", ["crows_pairs:data=lab", "stereoset:data=lab"])
def test_a_benchmark_without_a_train_part_is_judged_on_its_own_metric(
    spec: str, uri: str, tmp_path: Path
) -> None:
    options = VerifyOptions(benchmarks=(spec,), out=tmp_path, **FAST)  # type: ignore[arg-type]
    record = verify(uri, "lftf:epochs=8,lr=0.01,batch=8", options)
    assert record.primary == record.before[0].primary
    assert "lftf:epochs=8,lr=0.01,batch=8 was fitted on that of genbiaseval" in record.notes[0]
    assert record.control is None or record.control.metric == record.primary
    names = [guard.name for guard in record.guards]
    assert "over-correction (distance from the ideal)" in names
    assert (f"LMS ({spec})" in names) is spec.startswith("stereoset")
    assert load_verification(tmp_path) == record


def test_the_metric_that_was_asked_for_is_judged(uri: str, tmp_path: Path) -> None:
    options = VerifyOptions(
        primary="ub", out=tmp_path, limit=8, control="none", capability=FAST["capability"]
    )  # type: ignore[arg-type]
    record = verify(uri, "lftf:epochs=8,lr=0.01,batch=8", options)
    assert record.primary == "ub"
    assert "hints" not in [guard.name for guard in record.guards], "it is what the verdict is about"
