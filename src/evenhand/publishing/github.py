"""GitHub Actions: annotations, as lines that its runner reads, and a summary of the step in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.publishing.gates import Case, State

SUMMARY = "GITHUB_STEP_SUMMARY"  # the variable with the file that a step's summary is appended to
_TITLES = {State.FAILURE: "Gate failed", State.ERROR: "Gate could not be judged"}
_SIGNS = {State.PASSED: "✅ passed", State.FAILURE: "❌ failed", State.ERROR: "⚠️ could not be judged"}


def commands(cases: Sequence[Case]) -> list[str]:
    """A line ``::error title=...::message`` for every condition that is not met or could not be judged."""
    return [
        f"::error title={_property(_TITLES[case.state])}::{_data(f'{case.run}: {case.said}')}"
        for case in cases
        if case.state in _TITLES
    ]


def summary(cases: Sequence[Case], *, limited: bool = False) -> str:
    """The table of a gate in Markdown, the worst state of a condition in its head."""
    states = {case.state for case in cases}
    head = next(s for s in (State.ERROR, State.FAILURE, State.PASSED) if s in states or s is State.PASSED)
    lines = [f"### evenhand gate: {_SIGNS[head]}", ""]
    if limited:
        lines += ["A part of the items was measured only: no figure here is reportable.", ""]
    lines += ["| run | condition | state | figure |", "|---|---|---|---|"]
    for case in cases:
        cells = (case.run, case.condition, _SIGNS[case.state], case.said)
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n\n"


def _data(text: str) -> str:
    """The message of a workflow command: its lines stay one."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    """Text in a cell of a Markdown table, where HTML and the signs of the table would be read."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "\\|`*_[]":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
