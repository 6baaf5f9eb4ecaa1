"""Published tables are checked against themselves: what cannot be right, whatever the data were.

A table is read as it is printed, its columns are understood by their names (or as the user says), and every
rule allows for the rounding of what it compares. What a fault needs to be one is stated with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from evenhand.linting import changes, counts, duplicates, means, ranges, ratios, scores
from evenhand.linting.faults import KINDS, Fault
from evenhand.linting.sheet import Sheet, opened

__all__ = ["KINDS", "Fault", "Sheet", "faults_of", "lint", "opened"]


def lint(
    path: Path | str, columns: Mapping[str, Sequence[str]] | None = None, *, n: int | None = None
) -> list[Fault]:
    """Every fault of the table in a CSV file, sorted by row.

    ``lint("table3.csv", {"dpd": ["M_dpd"]})``: `columns` gives meanings (the keys of
    `evenhand.linting.meanings.MEANINGS`) to columns whose names do not tell; `n` is the number of people or
    items behind each rate where no column says it.

    Raises:
        BadData: the file cannot be read as a table.
        UnknownName: a meaning or a column that there is not.
        UsageError: a column is given two meanings.
    """
    return faults_of(opened(Path(path), columns, n))


def faults_of(sheet: Sheet) -> list[Fault]:
    """Every fault of an opened table, sorted by row."""
    rules = (duplicates, changes, ranges, scores, counts, means, ratios)
    found = [fault for rule in rules for fault in rule.faults(sheet)]
    return sorted(found, key=lambda fault: (fault.rows[:1], fault.kind))
