"""A reproduction as tables and sentences, for the command line, for Markdown and for its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenhand import __version__
from evenhand.decimals import number
from evenhand.provenance import line as made_line
from evenhand.reports import formats, sentences
from evenhand.reports.tables import Table
from evenhand.reproductions.judging import State
from evenhand.reproductions.published import read
from evenhand.reproductions.result import Line, Reproduction

SIGN = "<!-- evenhand reproduce -->"
OURS = "*"
SIGNS = {State.HOLDS: "✓", State.FAILS: "✗", State.UNDECIDED: "?"}  # whether it holds, not whether it is good
SEVERAL = {  # of several claims, and of one
    State.HOLDS: ("hold", "holds"),
    State.FAILS: ("do not hold", "does not hold"),
    State.UNDECIDED: ("are undecided", "is undecided"),
}
READING = (
    "A claim of a change holds where its 95 % interval excludes that there is none and it is "
    "relevant (a tenth of the figure's distance from its ideal, and the metric's smallest step); "
    "it does not hold where such a change is excluded; everything else is undecided. Claims are judged one "
    "by one, without a correction for their number, from one seed of the fits."
)
UNLIKE = (
    "The source has no figures of this model: what it prints is the range over its own models, which is no "
    "target. A claim can hold on this model, and is not reproduced by that."
)
ADDED = f"{OURS} not of the source: what evenhand adds."


def title(found: Reproduction) -> str:
    """The reproduction in a few words."""
    return f"The tables of {read(found.recipe).short} on {found.model.uri}"


def claims(found: Reproduction) -> Table:
    """Every claim, its state on this model, and the figures that decide."""
    rows = tuple(
        (one.table, f"{one.text}{f' {OURS}' if one.ours else ''}", said(one.state, found), one.why)
        for one in found.claims
    )
    return Table(f"The claims on {found.model.uri}", ("table", "claim", "state", "deciding figures"), rows, 4)


def said(state: State, found: Reproduction) -> str:
    """A state, and of which model it is."""
    return f"{state} on {found.model.uri}" if state is State.HOLDS else str(state)


def figures(found: Reproduction) -> Table:
    """Published beside measured figures, those that were measured or are of this model."""
    rows = tuple(_figure(one) for one in found.lines if one.measured is not None or one.printed)
    head = ("table", "row", "figure", "measured", "published", "other models", "in the band")
    return Table(f"Figures of {found.model.uri}", head, rows, labels=3)


def _figure(one: Line) -> tuple[str, ...]:
    measured = one.absent if one.measured is None else formats.with_interval(one.measured)
    band = "–" if one.agrees is None else "yes" if one.agrees else "no"
    if one.agrees is not None:
        band += f" ({number(one.low)} to {number(one.high)})"
    return (
        one.table,
        f"{one.row}{f' {OURS}' if one.ours else ''}",
        one.column,
        measured,
        (one.printed + (" (doubtful)" if one.doubt else "")) or "–",
        _others(one),
        band,
    )


def _others(one: Line) -> str:
    if one.others is None:
        return "–"
    low, high = number(one.others.low), number(one.others.high)
    named = one.others.models[0] if len(one.others.models) == 1 else f"{len(one.others.models)} models"
    return f"{low if low == high else f'{low} to {high}'} ({named})"


def unmeasured(found: Reproduction) -> list[str]:
    """What the tables have and this run has not, each reason once with its figures."""
    reasons: dict[str, list[str]] = {}
    for one in found.lines:
        if one.measured is None and one.absent:
            held = reasons.setdefault(one.absent.removeprefix(f"{one.column}: "), [])
            name = f"table {one.table}, {one.column}"
            held += [name] if name not in held else []
    return [f"{'; '.join(names)}: {why}." for why, names in reasons.items()]


def misprints(found: Reproduction) -> Table:
    """What is printed and cannot be."""
    rows = tuple((m.table, ", ".join(m.rows) or "–", m.printed, m.right, m.why) for m in found.misprints)
    return Table(
        "What cannot be right in print", ("table", "row", "printed", "instead", "why"), rows, labels=5
    )


def notes(found: Reproduction) -> list[str]:
    """What has to be said beside the tables."""
    said = [f"{sentences.LIMITED}: {sentences.LIMITED_WHY}"] if found.limited else []
    said.append(READING)
    said += [] if found.known_as else [UNLIKE]
    said += [ADDED] if any(one.ours for one in found.claims) else []
    said += [f"Not run: {one}" for one in found.failed]
    if found.missing:
        said.append(f"Not begun: {', '.join(found.missing)}. The same command goes on with them.")
    if found.control == "none" and any(one.treatment for one in found.lines):
        said.append("No control models were run, as in the source; --control standard runs them.")
    return said


def count(found: Reproduction) -> str:
    """How many of the source's claims are in each state, and how many of its figures lie in the band."""
    own = [one for one in found.claims if not one.ours]
    counts = {state: sum(one.state is state for one in own) for state in State}
    parts = [f"{n} {SEVERAL[state][n == 1]}" for state, n in counts.items()]
    compared = [one for one in found.lines if one.agrees is not None]
    text = (
        f"Of {len(own)} claim{'s' * (len(own) != 1)} of the source: {', '.join(parts)}, on {found.model.uri}."
    )
    if compared:
        inside = sum(bool(one.agrees) for one in compared)
        text += f" Of {len(compared)} published figures of it {inside} lie in the band."
    return text


def markdown(found: Reproduction) -> str:
    """The whole reproduction as Markdown."""
    parts = [f"# {title(found)}", SIGN, found.source + ".", count(found)]
    parts += [f"- {one}" for one in notes(found)]
    parts += ["## Claims", _markdown(claims(found)), "## Figures", _markdown(figures(found))]
    gaps = unmeasured(found)
    if gaps:
        parts += ["## Not measured", "\n".join(f"- {one}" for one in gaps)]
    if found.misprints:
        parts += ["## What cannot be right in print", _markdown(misprints(found))]
    parts += ["## What is done otherwise than in the source", "\n".join(f"- {one}" for one in found.differs)]
    parts.append(f"Made by {made_line(found.made_by)}.")
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)


def view(found: Reproduction) -> Mapping[str, Any]:
    """The variables of ``reproduction.html.j2``."""
    return {
        "title": title(found),
        "source": found.source,
        "count": count(found),
        "limited": found.limited,
        "limited_text": sentences.LIMITED,
        "limited_why": sentences.LIMITED_WHY,
        "notes": notes(found),
        "claims": [(one, said(one.state, found), SIGNS[one.state]) for one in found.claims],
        "figures": figures(found),
        "gaps": unmeasured(found),
        "misprints": misprints(found),
        "differs": found.differs,
        "version": __version__,
        "made_by": made_line(found.made_by),
    }
