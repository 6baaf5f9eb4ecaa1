"""``evenhand gate --junit`` and ``--github``: the same states and exit codes, for machines that build."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from evenhand.studies import store
from tests.support import records_factory as make


@pytest.fixture
def measured(tmp_path: Path) -> str:
    store.save_measurements(tmp_path / "measured", [make.genbiaseval()])
    return "measured"


def tags(path: str) -> list[str]:
    return [case[0].tag for case in ElementTree.parse(path).iter("testcase")]


def test_junit(run, measured) -> None:
    answer = run("gate", measured, "afgb<=0.5", "afgb<=0.0001", "--junit", "out/gate.xml")
    assert answer.code == 1
    assert "::error" not in answer.out
    assert tags("out/gate.xml") == ["system-out", "failure"]


def test_a_verdict_that_is_not_there_is_a_usage_error_and_an_error_in_junit(run, measured) -> None:
    answer = run("gate", measured, "verdict==mitigated", "afgb<=0.5", "--junit", "gate.xml")
    assert answer.code == 2
    assert tags("gate.xml") == ["error", "error"]


def test_no_run_is_an_error(run) -> None:
    answer = run("gate", "nowhere", "afgb<=0.5", "--junit", "gate.xml", "--github")
    assert answer.code == 2
    assert tags("gate.xml") == ["error"]
    assert "::error title=Gate could not be judged::nowhere" in answer.out


def test_github(run, measured, monkeypatch, tmp_path) -> None:
    told = run("gate", measured, "afgb<=0.0001", "--github").out.splitlines()
    assert [line for line in told if line.startswith("::")] == [
        f"::error title=Gate failed::measured: {told[0]}"
    ]
    place = tmp_path / "summary.md"
    place.write_text("### before\n\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place))
    answer = run("gate", measured, "afgb<=0.0001", "--json")
    assert answer.json["passed"] is False
    assert "::error title=Gate failed::" in answer.err
    assert place.read_text(encoding="utf-8").startswith("### before\n\n### evenhand gate: ❌ failed\n")


def test_without_the_options_nothing_is_added(run, measured) -> None:
    answer = run("gate", measured, "afgb<=0.0001")
    assert "::" not in answer.out
    assert sorted(path.name for path in Path().iterdir()) == ["measured"]
