"""JUnit XML and GitHub's formats, from the three states of a gate's conditions."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evenhand.publishing.gates import Case, State, cases, unread
from evenhand.publishing.github import commands, summary
from evenhand.publishing.junit import junit
from evenhand.studies.compare import GateResult

RESULTS = [
    GateResult("afgb<=0.1", True, "genbiaseval.afgb", 0.05),
    GateResult("mass>=0.9", False, "genbiaseval.mass", 0.5),
    GateResult("ub>=0.5", False, "genhinteval.ub", None, judged=False, why="It is undefined."),
]
CASES = cases("runs/treated", RESULTS)


def test_three_states() -> None:
    assert [case.state for case in CASES] == [State.PASSED, State.FAILURE, State.ERROR]
    (case,) = unread("nowhere", ["afgb<=0.1"], "There is no run.")
    said = "could not be judged: afgb<=0.1. There is no run."
    assert case == Case("nowhere", "afgb<=0.1", State.ERROR, said)


def test_junit_counts_failures_and_errors_apart() -> None:
    root = ElementTree.fromstring(junit(CASES))
    (suite,) = root
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }
    assert [[child.tag for child in case] for case in suite.iter("testcase")] == [
        ["system-out"],
        ["failure"],
        ["error"],
    ]
    assert suite.find(".//failure").get("message") == "FAILED: mass>=0.9 (genbiaseval.mass is 0.5)"
    assert suite.find(".//error").get("type") == "Inconclusive"


@pytest.mark.parametrize("limited", [False, True])
def test_junit_keeps_the_schema(limited) -> None:
    etree = pytest.importorskip("lxml.etree")
    schema = etree.XMLSchema(etree.parse(str(Path(__file__).with_name("junit.xsd"))))
    schema.assertValid(etree.fromstring(junit(CASES, limited=limited)))
    assert not schema.validate(etree.fromstring(junit(CASES).replace(b' tests="3"', b"")))


def test_junit_escapes_what_xml_cannot_hold() -> None:
    odd = [Case("a\x00\x1b[31m<b>&", 'x<"1"', State.FAILURE, "\ud800 & <c>\x07")]
    (case,) = ElementTree.fromstring(junit(odd)).iter("testcase")
    assert case.get("classname") == "a\\x00\\x1b[31m<b>&"
    assert case.get("name") == 'x<"1"'
    assert case.find("failure").text == "\\xd800 & <c>\\x07"


COMMAND = re.compile(r"::error title=(?P<title>[^:,\r\n]+)::(?P<message>[^\r\n]*)")  # as the runner reads it


def test_annotations_are_one_line_each() -> None:
    read = [COMMAND.fullmatch(line) for line in commands(CASES)]
    assert [found["title"] for found in read] == ["Gate failed", "Gate could not be judged"]
    assert read[0]["message"] == "runs/treated: FAILED: mass>=0.9 (genbiaseval.mass is 0.5)"
    (line,) = commands([Case("50%", "x<1", State.ERROR, "two\r\nlines")])
    assert line == "::error title=Gate could not be judged::50%25: two%0D%0Alines"


def test_the_summary_is_a_table() -> None:
    text = summary([*CASES, Case("a|b", "x<1", State.FAILURE, "<img src=x>`\nnext")], limited=True)
    lines = text.splitlines()
    assert lines[0] == "### evenhand gate: ⚠️ could not be judged"  # an error is worse than a failure
    assert "no figure here is reportable" in lines[2]
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 4
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 5 for line in table)
    assert "&lt;img src=x&gt;\\` next" in table[-1]
    assert summary(CASES[:1]).startswith("### evenhand gate: ✅ passed\n")
