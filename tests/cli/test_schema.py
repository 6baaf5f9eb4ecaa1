"""Whatever a command prints as JSON says its schema, what made it and when; reports and doctor say it too."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from evenhand import __version__, reports
from evenhand.provenance import UNKNOWN, line, made_by
from evenhand.schema import SCHEMA
from tests.cli.conftest import Library, Run
from tests.support import records_factory as make

SAVED = Path(__file__).parents[1] / "golden" / "saved"
MEASURED, VERIFIED = str(SAVED / "measured"), str(SAVED / "run")
COMMANDS = [
    ("measure", "lab:causal"),
    ("measure", "any:model", "-b", "genbiaseval", "--limit", "2", "--dry-run"),
    ("locate", "lab:causal"),
    ("mitigate", "lab:causal"),
    ("verify", "lab:causal"),
    ("plan", "lab:causal", "--control", "none", "--no-minutes"),
    ("compare", MEASURED, MEASURED),
    ("gate", MEASURED, "mass >= 0"),
    ("report", VERIFIED, "--html", "out.html"),
    ("report", MEASURED, "--lm-eval", "out.json"),
    ("ls", "locators"),
    ("data", "ls", "bbq"),
    ("data", "verify"),
    ("doctor",),
    ("gate", "no-such-run", "mass >= 0"),
]


@pytest.mark.parametrize("argv", COMMANDS, ids=lambda argv: " ".join(argv[:1]))
def test_every_json_says_its_schema_and_what_made_it(
    run: Run, library: Library, argv: tuple[str, ...]
) -> None:
    said = run(*argv, "--json").json
    assert said["schema"] == SCHEMA
    assert said["made_by"]["evenhand"] == __version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["made_by"]["when"])


def test_the_model_and_its_device_are_those_of_the_record(run: Run, library: Library) -> None:
    made = dataclasses.replace(made_by(make.MODEL), device="cuda (some card)", evenhand="9.9")
    library.record = dataclasses.replace(library.record, made_by=made)
    said = run("verify", "lab:causal", "--json").json["made_by"]
    assert (said["evenhand"], said["device"], said["dtype"]) == ("9.9", "cuda (some card)", "float32")


def test_the_lm_eval_file_says_it_in_its_own_part(run: Run) -> None:
    assert run("report", MEASURED, "--lm-eval", "out.json").code == 0
    own = json.loads(Path("out.json").read_text())["evenhand"]
    assert (own["schema"], own["made_by"]) == (SCHEMA, None)


def test_a_stored_location_says_it_without_a_time(run: Run, library: Library) -> None:
    run("locate", "lab:causal", "--out", "kept")
    stored = json.loads(Path("kept/location.json").read_text())
    assert stored["schema"] == SCHEMA
    assert "when" not in str(stored)


def test_doctor_says_what_records_will_say(run: Run) -> None:
    found = {f["name"]: f["value"] for f in run("doctor", "--json").json["findings"]}
    assert found["records say"].startswith(f"evenhand {__version__}")
    assert "torch" in found["records say"]


def test_a_report_says_it_in_one_line(run: Run) -> None:
    made = made_by(dataclasses.replace(make.MODEL, device="cpu"))
    record = dataclasses.replace(make.verification(), made_by=made)
    assert line(made) in reports.verification_html(record)
    measured = dataclasses.replace(make.genbiaseval(), made_by=made)
    assert line(made) in reports.measurements_html([measured])


@pytest.mark.parametrize("folder", [MEASURED, VERIFIED])
def test_a_report_of_an_older_run_says_that_it_is_not_known(run: Run, folder: str) -> None:
    assert run("report", folder, "--html", "out.html").code == 0
    assert UNKNOWN in Path("out.html").read_text(encoding="utf-8")
