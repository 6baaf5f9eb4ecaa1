"""A package that nobody here knows: installed, its benchmark and metric do all that the own ones do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.plugin import installing


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages with the guest in it."""
    folder = tmp_path_factory.mktemp("site")
    installing.install(folder)
    return folder


def ran(done: CompletedProcess[str], code: int = 0) -> str:
    """What it printed, if it ended with `code`."""
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed_and_measured(site: Path, tmp_path: Path) -> None:
    listed = ran(installing.run(site, tmp_path, "evenhand", "ls", "benchmarks", "--json"))
    assert "guestbench" in listed
    assert "guestgap" in ran(installing.run(site, tmp_path, "evenhand", "ls", "metrics", "--json"))
    words = ("measure", "lab:causal", "-b", "guestbench:n=40", "--out", "taken", "--json")
    (taken,) = json.loads(ran(installing.run(site, tmp_path, "evenhand", *words)))["measurements"]
    assert taken["metrics"]["guestgap"]["n"] == 40
    assert 0.1 < taken["metrics"]["guestgap"]["value"] <= 1


def test_a_verdict_is_about_its_metric_and_a_report_shows_it(site: Path, tmp_path: Path) -> None:
    words = ("verify", "lab:causal", "--with", "prompt", "-b", "guestbench", "--capability", "facts")
    done = installing.run(site, tmp_path, "evenhand", *words, "--control", "none", "--out", "run", "--json")
    found = json.loads(ran(done))
    assert (found["primary"], found["verdict"]) == ("guestgap", "no evidence")  # it is settled
    ran(installing.run(site, tmp_path, "evenhand", "report", "run", "--html", "shown.html"))
    assert "Gap as a share of the likelier group" in (tmp_path / "shown.html").read_text(encoding="utf-8")


def test_the_contracts_hold_with_its_case(site: Path, tmp_path: Path) -> None:
    said = ran(installing.run(site, tmp_path, "evenhand.testing", "guestbench"))
    assert "passed  scripted models get the stated values" in said
    assert said.endswith("benchmark guestbench: 13 passed, 0 failed, 0 skipped\n")
    said = ran(installing.run(site, tmp_path, "evenhand.testing", "guestgap"))
    assert said.endswith("metric guestgap: 19 passed, 0 failed, 0 skipped\n")


def test_the_examples_of_the_page_keep_the_contracts(tmp_path: Path) -> None:
    page = (installing.HERE.parents[1] / "docs" / "adding.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n# (\w+\.py.*?)```", page, flags=re.DOTALL):
        first, _, code = block.partition("\n")
        (tmp_path / f"guest_{first.partition('.')[0]}.py").write_text(code, encoding="utf-8")
    points = {
        "benchmarks": "plurals = guest_plurals:Plurals",
        "metrics": "they_share = guest_they:THEY_SHARE",
    }
    installing.describe(tmp_path, "".join(f"[evenhand.{kind}]\n{one}\n" for kind, one in points.items()))
    for name in ("plurals", "they_share"):
        assert ", 0 failed, " in ran(installing.run(tmp_path, tmp_path, "evenhand.testing", name))


def test_a_broken_one_is_told_what_is_wrong(site: Path, tmp_path: Path) -> None:
    said = ran(installing.run(site, tmp_path, "evenhand.testing", "guestbroken"), 1)
    assert "failed  ids are unique and name the benchmark: two samples have one id\n" in said
    assert "failed  the card is complete: the card's reading is empty or has spaces around it\n" in said
    assert "skipped scripted models get the stated values because no case gives values" in said
    counts, last = said.splitlines()[-2:]
    assert counts.startswith("benchmark guestbroken: ")
    assert last.startswith("NOT RUN: 2 of 13 contracts; 2 for want of a case: type ")
