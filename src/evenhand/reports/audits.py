"""The report of an audit: one screen of what to look at, how sure, how bad, what to do; then all figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from evenhand import __version__
from evenhand.decimals import UNDEFINED, number, significant
from evenhand.provenance import line
from evenhand.records import Audited, Finding, State, Value
from evenhand.reports import _render, write_report

_ORDER = (State.BEYOND, State.UNCLEAR, State.WITHIN, State.NOTE)
_SURE = {
    State.BEYOND: "shown to be beyond",
    State.UNCLEAR: "not decided",
    State.WITHIN: "shown to be within",
    State.NOTE: "a fact",
}
_TONE = {State.BEYOND: "bad", State.UNCLEAR: "mixed", State.WITHIN: "good", State.NOTE: "neutral"}
_FIRST = 12  # findings on the first screen


def html(before: Audited, after: Audited | None = None) -> str:
    """The page of an audit, with the audit after a repair beside it."""
    return _render("audit.html.j2", view(before, after))


def write(path: Path, before: Audited, after: Audited | None = None) -> None:
    """Write the page, whole or not at all.

    Raises:
        NoSpace: the disk is full or not writable.
        BadData: the file exists and is no such report.
    """
    write_report(path, html(before, after))


def view(before: Audited, after: Audited | None = None) -> dict[str, Any]:
    """What the template shows: texts alone, so that no row of the data can be among them."""
    ordered = sorted(before.findings, key=lambda one: _ORDER.index(one.state))
    counts = Counter(one.state for one in ordered)
    later = {} if after is None else {(one.name, one.columns): one for one in after.findings}
    shown = [
        _row(one, later.get((one.name, one.columns)), number_) for number_, one in enumerate(ordered, start=1)
    ]
    first = [row for row in shown if row["state"] in ("beyond", "unclear")][:_FIRST]
    unit = "rows" if before.kind == "table" else "documents"
    return {
        "version": __version__,
        "title": f"Audit of {before.source}",
        "lead": _lead(counts, before.n, unit),
        "tone": _TONE[ordered[0].state] if ordered else "neutral",
        "first": first,
        "hidden": counts[State.BEYOND] + counts[State.UNCLEAR] - len(first),
        "rows": shown,
        "repaired": None
        if after is None
        else {"source": after.source, "told": after.notes[0] if after.notes else ""},
        "notes": before.notes,
        "facts": _facts(before, unit),
        "columns": sorted(before.columns.items()),
    }


def _lead(counts: Counter[State], n: int, unit: str) -> str:
    beyond, unclear, within = (counts[state] for state in _ORDER[:3])
    return (
        f"{n} {unit}: {beyond} findings are beyond their tolerance, {unclear} are not decided, {within} "
        f"are shown to "
        "be within it."
    )


def _row(one: Finding, later: Finding | None, place: int) -> dict[str, Any]:
    return {
        "id": f"finding-{place}",
        "name": one.name.replace("_", " "),
        "columns": ", ".join(one.columns),
        "state": one.state.value,
        "tone": _TONE[one.state],
        "sure": _SURE[one.state],
        "effect": "" if one.effect is None else figure(one.effect),
        "measure": one.measure,
        "interval": "" if one.low is None or one.high is None else f"{number(one.low)} to {number(one.high)}",
        "tolerance": "" if one.tolerance is None else number(one.tolerance),
        "p": chance(one.p_value),
        "adjusted": chance(one.adjusted),
        "n": one.n,
        "finding": one.finding,
        "mend": one.mend,
        "command": one.command,
        "after": ""
        if later is None or later.effect is None
        else f"{figure(later.effect)} ({later.state.value})",
        "bar": _bar(one),
        "groups": [
            {
                "group": g.group,
                "n": "suppressed" if g.n is None else g.n,
                "value": "" if g.value is None else number(g.value),
                "interval": "" if g.low is None or g.high is None else f"{number(g.low)} to {number(g.high)}",
            }
            for g in one.groups
        ],
    }


def figure(value: Value) -> str:
    """A figure in digits; what is left of rounding is 0."""
    return number(0.0 if value is not None and abs(value) < 1e-9 else value)


def chance(p_value: Value) -> str:
    """A p-value in digits, empty for None; what a double does not hold is not 0."""
    if p_value is None:
        return ""
    return significant(p_value) if p_value else "below 1e-300"


def _bar(one: Finding) -> dict[str, float] | None:
    """Places in percent of a drawing of the interval and the tolerance; None where there is none."""
    if one.low is None or one.high is None or one.effect is None or one.tolerance is None:
        return None
    top = max(one.high, one.tolerance * 1.25, 1e-9)
    low, high, effect, limit = (
        100 * min(max(v, 0.0) / top, 1.0) for v in (one.low, one.high, one.effect, one.tolerance)
    )
    return {
        "low": round(low, 1),
        "width": round(max(high - low, 0.8), 1),
        "effect": round(effect, 1),
        "limit": round(limit, 1),
    }


def _facts(record: Audited, unit: str) -> list[tuple[str, str]]:
    return [
        ("Data", record.source),
        (unit.capitalize(), str(record.n)),
        ("Sensitive", ", ".join(record.sensitive) or UNDEFINED),
        ("Target", record.target or "none"),
        ("Seed", str(record.seed)),
        ("Made by", line(record.made_by)),
    ]
