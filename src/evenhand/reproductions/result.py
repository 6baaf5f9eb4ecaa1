"""What a reproduction found: published figures beside measured ones, and what became of each claim."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evenhand.errors import BadData
from evenhand.files import parse_json, write_atomically
from evenhand.outputs import check_ours
from evenhand.records import Estimate, MadeBy, ModelSpec, Value, from_json, to_json
from evenhand.reproductions.evidence import Evidence, Missing
from evenhand.reproductions.judging import State
from evenhand.reproductions.preparing import Prepared
from evenhand.reproductions.published import Figure, Misprint, Row, figure
from evenhand.schema import SCHEMA

RECORD = "reproduction.json"
FORMAT = "evenhand/reproduction/1"


@dataclass(frozen=True, slots=True)
class Others:
    """The source's figures of other models than the measured one, with the same treatment: their range."""

    low: float
    high: float
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of a table: what is printed, and what was measured on this model.

    Attributes:
        table, row, treatment, column: where it stands; `row` is the source's where it has this model.
        ours: whether the row is not the source's.
        measured: with its interval, None where there is none; `absent` says why.
        printed: the cell as printed where the source has this model, else empty.
        published: the same in the metric's unit, as it must have been meant.
        doubt: what is known to be wrong with it.
        low, high: the tolerance band: the measured interval, wider by half a unit of the last printed digit.
        agrees: whether the published figure lies in the band; None where there is none for this model.
        others: the source's other models.
    """

    table: str
    row: str
    treatment: str
    column: str
    ours: bool
    measured: Estimate | None
    absent: str = ""
    printed: str = ""
    published: Value = None
    doubt: str = ""
    low: Value = None
    high: Value = None
    agrees: bool | None = None
    others: Others | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim and what became of it on this model; `theirs` says whether the source made it of this model."""

    table: str
    text: str
    ours: bool
    state: State
    why: str
    theirs: bool


@dataclass(frozen=True)
class Reproduction:
    """A reproduction as it stands.

    Attributes:
        recipe: the source's name as it is typed; `source` is its title.
        model: what was measured; `known_as` is the source's name of it, empty where it is not in its tables.
        tables: their names and titles.
        control: how many control models there were.
        failed: treatments that could not be run, each with its error.
        missing: treatments that were not begun.
        limited: whether only a part of the items was taken.
    """

    recipe: str
    source: str
    model: ModelSpec
    known_as: str
    tables: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    claims: tuple[Judged, ...]
    misprints: tuple[Misprint, ...]
    differs: tuple[str, ...]
    control: str
    failed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    limited: bool = False
    made_by: MadeBy | None = field(default=None, compare=False)

    @property
    def complete(self) -> bool:
        """Whether every treatment was run."""
        return not self.failed and not self.missing


def lines(ready: Prepared, evidence: Evidence) -> list[Line]:
    """Every figure of the prepared tables, one line for each treatment, setting and column."""
    found = []
    for table in ready.tables:
        shown: set[tuple[str, str, bool]] = set()  # a column of its own benchmark stands once a treatment
        groups: dict[tuple[str, str, bool], list[Row]] = {}
        for row in ready.rows(table):
            groups.setdefault((row.treatment, row.on, row.ours), []).append(row)
        for (treatment, _, ours), rows in groups.items():
            for key in table.columns:
                place = key, treatment, ours
                if place not in shown:
                    found.append(_line(ready, evidence, rows, key))
                if ready.recipe.published.columns[key].on:
                    shown.add(place)
    return found


def _line(ready: Prepared, evidence: Evidence, rows: Sequence[Row], key: str) -> Line:
    published, column = ready.recipe.published, ready.recipe.published.columns[key]
    own = next((row for row in rows if row.model and row.model == ready.known_as), None)
    named = own or rows[0]
    estimate, why = _measured(ready, evidence, named, key)
    figures = [one for row in rows if row is not own and (one := figure(published, row, key)) is not None]
    printed = None if own is None else figure(published, own, key)
    band = _band(estimate, printed)
    return Line(
        named.table,
        _name(named, own),
        named.treatment,
        column.title,
        named.ours,
        estimate,
        why,
        "" if printed is None else printed.printed,
        None if printed is None else printed.value,
        "" if printed is None else printed.doubt,
        *band,
        None if printed is None or band[0] is None else band[0] <= printed.value <= band[1],  # type: ignore[operator]
        _others(figures),
    )


def _name(named: Row, own: Row | None) -> str:
    """The row's own name; of another model's row what is left of it without that model's name."""
    if own is not None or not named.model:
        return named.name
    return named.name.replace(named.model, "").strip(" ,-") or named.treatment or "untreated"


def _measured(ready: Prepared, evidence: Evidence, row: Row, key: str) -> tuple[Estimate | None, str]:
    column = ready.recipe.published.columns[key]
    try:
        site = evidence.site(key) if column.on else evidence.site(key, table=row.table, row=row.name)
        return evidence.figure(site, row.treatment), ""
    except Missing as gap:
        return None, str(gap)


def _band(found: Estimate | None, printed: Figure | None) -> tuple[Value, Value]:
    """The measured interval, wider by the rounding of what is printed."""
    if found is None or found.low is None or found.high is None:
        return None, None
    half = 0.0 if printed is None else printed.half
    return found.low - half, found.high + half


def _others(figures: Sequence[Figure]) -> Others | None:
    if not figures:
        return None
    values = [one.value for one in figures]
    return Others(
        min(values),
        max(values),
        tuple(dict.fromkeys(one.row.model or "unnamed" for one in figures)),
    )


def judged(ready: Prepared, evidence: Evidence) -> list[Judged]:
    """Every claim of the prepared tables."""
    known = ready.known_as
    found = []
    for table in ready.tables:
        theirs = bool(known) and any(row.model == known for row in table.rows)
        for claim in ready.recipe.claims:
            if claim.table == table.name:
                said = claim.judged(evidence)
                found.append(
                    Judged(
                        table.name, claim.text, claim.ours, said.state, said.why, theirs and not claim.ours
                    )
                )
    return found


def save(found: Reproduction, folder: Path) -> Path:
    """Write the record into the folder; returns its path.

    Raises:
        NoSpace: the disk is full or not writable.
        BadData: there is another file of its name.
    """
    path = folder / RECORD
    check_ours(path, FORMAT.encode())
    body = {"format": FORMAT, "schema": SCHEMA, **to_json(found)}
    text = json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def load(folder: Path) -> Reproduction:
    """The reproduction that is stored in a folder.

    Raises:
        BadData: there is none, or it is damaged.
    """
    path = folder / RECORD
    try:
        body = parse_json(path.read_bytes())
        return from_json(Reproduction, {k: v for k, v in body.items() if k not in ("format", "schema")})
    except (OSError, ValueError, AttributeError) as error:
        raise BadData(
            f"{path} holds no reproduction: {error}.",
            mend="Run evenhand reproduce again with the same --out.",
        ) from None
