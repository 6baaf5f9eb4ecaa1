"""Figures by slice, and by slices that were crossed, as tables that a page keeps collapsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evenhand.records import Estimate, Measurement, Verification
from evenhand.reports import formats, tables
from evenhand.reports.shares import CROSSED, slice_keys
from evenhand.reports.summary import main_metric
from evenhand.reports.tables import Table

MOST = 400  # rows of one table


@dataclass(frozen=True, slots=True)
class Part:
    """A collapsed table, its title, and a sentence where rows are left out."""

    title: str
    table: Table
    cut: str = ""


def of_verification(record: Verification) -> tuple[Part, ...]:
    """The figure that each benchmark is about, by slice and by crossed slices, before and after.

    What the page draws by slice already, with a table, is left out.
    """
    after = {m.benchmark: m for m in record.after}
    found: list[Part] = []
    for m in record.before:
        if m.metrics and m.benchmark in after:
            found += _before_and_after(m, after[m.benchmark])
    return tuple(found)


def _before_and_after(before: Measurement, after: Measurement) -> Iterator[Part]:
    name = main_metric(before)
    drawn = slice_keys(before, name) if before.role == "bias" and before.primary is not None else []
    for kind, keys in _kinds(before):
        rows = [
            (key, formats.with_interval(old), formats.with_interval(new), formats.count(old))
            for key in keys
            if key not in drawn and (old := before.slices[key].get(name)) is not None
            for new in [after.slices.get(key, {}).get(name, Estimate(None, None, None, 0))]
        ]
        if rows:
            title = f"{before.benchmark}, {name} by {kind}"
            head = ("slice", "before [95 % interval]", "after [95 % interval]", "n")
            yield _part(title, head, rows, labels=1)


def of_measurement(m: Measurement) -> tuple[Part, ...]:
    """Every figure by slice, and by crossed slices."""
    found = []
    for kind, keys in _kinds(m):
        table = tables.metrics(m, keys)
        if table.rows:
            found.append(_part(f"{m.benchmark} by {kind}", table.head, table.rows, labels=table.labels))
    return tuple(found)


def _kinds(m: Measurement) -> list[tuple[str, list[str]]]:
    single = [key for key in m.slices if CROSSED not in key]
    crossed = [key for key in m.slices if CROSSED in key]
    return [("slice", single), ("intersection of slices", crossed)]


def _part(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, labels: int) -> Part:
    n = len(rows)
    cut = f"The first {MOST} of {n} rows." if n > MOST else ""
    many = f"{n} row{'s' if n != 1 else ''}"
    return Part(f"{title}: {many}", Table(title, head, tuple(rows[:MOST]), labels=labels), cut)
