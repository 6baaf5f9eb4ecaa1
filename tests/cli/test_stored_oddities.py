"""Runs, caches, models and treatments that are not what their names say: one sentence, never a traceback."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand import treatments
from evenhand.errors import NoSpace, UnknownName
from evenhand.files import disk_errors
from evenhand.records import digest
from evenhand.studies.store import VERIFICATION, save_measurements, save_verification
from evenhand.treatments.prompt import PromptTreatment
from tests.cli.conftest import Answer, Run
from tests.support import records_factory as make


def one_sentence(answer: Answer, code: int) -> str:
    """The message on stderr of a command that failed with this code."""
    assert answer.code == code, answer.err
    assert "Traceback" not in answer.err
    (line,) = answer.err.strip().split("\n")
    return line


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    save_measurements(tmp_path / "run", [make.genbiaseval()])
    return tmp_path / "run"


READERS = (("report", "{}", "--html", "out.html"), ("gate", "{}", "afgb<=1"), ("compare", "{}", "{}"))


@pytest.mark.parametrize("argv", READERS, ids=lambda argv: argv[0])
def test_a_file_in_place_of_a_run(run: Run, stored: Path, argv: tuple[str, ...]) -> None:
    said = one_sentence(run(*(word.format("run/measurements.json") for word in argv)), 2)
    assert "run/measurements.json is not the folder of a run, but a file" in said


@pytest.mark.parametrize("argv", READERS, ids=lambda argv: argv[0])
def test_a_run_of_an_impossible_name(run: Run, argv: tuple[str, ...]) -> None:
    one_sentence(run(*(word.format("x" * 300) for word in argv)), 2)


@pytest.mark.parametrize("place", ["measurements.json", "items"])
def test_a_folder_where_a_file_belongs_and_the_reverse(run: Run, stored: Path, place: str) -> None:
    found = stored / place
    if found.is_dir():
        for item in found.iterdir():
            item.unlink()
        found.rmdir()
        found.write_text("mine")
    else:
        found.unlink()
        found.mkdir()
    one_sentence(run("gate", "run", "afgb<=1"), 2)


def forged(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """A verification whose summary was changed and its digest made anew."""
    save_verification(folder, make.verification())
    path = folder / VERIFICATION
    envelope = json.loads(path.read_text())
    change(envelope["body"])
    envelope["sha256"] = digest(envelope["body"])
    path.write_text(json.dumps(envelope))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("after"),
        lambda body: body.update(after=None),
        lambda body: body.update(after=[None]),
        lambda body: body["after"][0].pop("items"),
        lambda body: body["after"][0]["items"].update(file=7),
        lambda body: body["after"][0]["items"].update(file="../../../../../../../etc/passwd"),
        lambda body: body["after"][0]["items"].update(file="/etc/passwd"),
    ],
    ids=["no after", "null", "null entry", "no items", "number", "outside", "absolute"],
)
def test_an_incomplete_summary_is_damaged(
    run: Run, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    forged(tmp_path / "run", change)
    said = one_sentence(run("gate", "run", "verdict==mitigated"), 2)
    assert "passwd" not in said or "outside" in said or "below" in said


@pytest.mark.parametrize("argv", [("data", "ls"), ("doctor",)], ids=lambda argv: argv[0])
def test_a_cache_of_an_impossible_name(
    run: Run, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    monkeypatch.setenv("EVENHAND_CACHE", "/tmp/" + "x" * 300)
    answer = run(*argv)
    assert answer.code in (0, 4)
    assert "Traceback" not in answer.err


def test_an_addition_of_an_impossible_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"context": "a", "text": " b", "logprob": -1.0}\n')
    name = "x" * 300
    assert f"There is no folder {name}" in one_sentence(run("measure", f"recorded:answers.jsonl+{name}"), 2)


def test_a_kind_of_treatment_that_is_no_text(tmp_path: Path) -> None:
    about = {"method": "prompt", "base": "b", "seed": 0}
    (tmp_path / "mitigation.json").write_text(json.dumps({"kind": ["a"], "about": about}))
    with pytest.raises(UnknownName, match="kind of treatment"):
        treatments.load(tmp_path)


def test_treatments_load_from_a_text(tmp_path: Path) -> None:
    PromptTreatment(treatments.About("prompt", "b", 0), "Be fair.").save(tmp_path / "kept")
    loaded = treatments.load(str(tmp_path / "kept"))  # type: ignore[arg-type]
    assert isinstance(loaded, PromptTreatment)
    assert loaded.text == "Be fair."


def test_a_file_that_is_too_large_is_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(NoSpace, match="File too large"), disk_errors(tmp_path):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
