"""A reproduction as tables, sentences, Markdown and a page."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand import reports
from evenhand.records import Estimate, ModelSpec
from evenhand.reports import reproduced
from evenhand.reproductions.judging import State
from evenhand.reproductions.published import Misprint
from evenhand.reproductions.result import Judged, Line, Others, Reproduction

GAP = Estimate(0.25, 0.2, 0.3, 100)
LINES = (
    Line("2", "Known", "", "AFGB", False, GAP, "", "0.2741", 0.2741, "a copy", 0.19995, 0.30005, True),
    Line("2", "untreated", "", "UB", False, GAP, others=Others(0.4, 0.7, ("A", "B"))),
    Line("4", "ours", "lftf", "AFGB", True, GAP, others=Others(0.1, 0.1, ("A",))),
    Line("4", "LFTF", "lftf:lr=paper", "MMLU", False, None, "MMLU: no data"),
    Line("5", "LFTF", "lftf:lr=paper", "MMLU", False, None, "MMLU: no data"),
)
CLAIMS = (
    Judged("2", "One <b> holds.", False, State.HOLDS, "a | b", True),
    Judged("4", "One does not.", False, State.FAILS, "c", False),
    Judged("4", "Another is ours.", True, State.UNDECIDED, "d", False),
)
FOUND = Reproduction(
    "lftf",
    "Qin et al. 2025, LFTF",
    ModelSpec("lab:causal", "d"),
    "Known",
    (("2", "two"), ("4", "four")),
    LINES,
    CLAIMS,
    (Misprint("8", ("x",), ("ub",), "(+0.652)", "(+0.0652)", "0.1456 - 0.0804"),),
    ("Prompts are ours.",),
    "none",
)


def test_figures_stand_beside_what_is_printed() -> None:
    rows = reproduced.figures(FOUND).rows
    assert [row[-3:] for row in rows] == [
        ("0.2741 (doubtful)", "–", "yes (0.200 to 0.300)"),
        ("–", "0.400 to 0.700 (2 models)", "–"),
        ("–", "0.100 (A)", "–"),
    ]
    assert rows[2][1] == "ours *"
    assert reproduced.unmeasured(FOUND) == ["table 4, MMLU; table 5, MMLU: no data."]


def test_a_claim_holds_on_a_model() -> None:
    states = [row[2] for row in reproduced.claims(FOUND).rows]
    assert states == ["holds on lab:causal", "does not hold", "undecided"]
    said = reproduced.count(FOUND)
    # of the three claims one is not the source's; of its one figure of this model one lies in the band
    assert said.startswith(
        "Of 2 claims of the source: 1 holds, 1 does not hold, 0 are undecided, on lab:causal."
    )
    assert said.endswith("Of 1 published figures of it 1 lie in the band.")


@pytest.mark.parametrize(
    ("change", "said", "there"),
    [
        ({"known_as": ""}, "no target", True),
        ({}, "no target", False),
        ({"limited": True}, "not reportable", True),
        ({"missing": ("dama",)}, "Not begun: dama. The same command goes on with them.", True),
        ({"failed": ("dama: BadModel: x",)}, "Not run: dama: BadModel: x", True),
        ({}, "No control models were run", True),
        ({"control": "standard"}, "No control models were run", False),
        ({"lines": LINES[:2]}, "No control models were run", False),
    ],
)
def test_notes(change: dict[str, object], said: str, there: bool) -> None:
    found = dataclasses.replace(FOUND, **change)  # type: ignore[arg-type]
    assert any(said in one for one in reproduced.notes(found)) is there


def test_markdown_keeps_its_tables_whole() -> None:
    text = reproduced.markdown(FOUND)
    assert "| 2 | One <b> holds. | holds on lab:causal | a \\| b |" in text
    assert "(+0.652) | (+0.0652)" in text
    assert reproduced.SIGN in text


def test_the_page_is_complete_and_small() -> None:
    page = reports.reproduction_html(FOUND)
    assert "One &lt;b&gt; holds." in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert "<script" not in page
    for part in ("Claims", "Not measured", "What cannot be right in print", "Prompts are ours."):
        assert part in page
