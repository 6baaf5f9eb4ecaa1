"""Two columns under each other's names: exchanged, they keep a rule that they break as printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from evenhand.linting.cells import Figure
from evenhand.linting.faults import Fault
from evenhand.linting.sheet import Sheet

Holds = Callable[[Sequence[Figure]], bool | None]
"""Whether the figures of one row, in the order of the rule's columns, keep it; None where it says nothing."""
_MOST = 40  # columns of a table in which others than the rule's own are tried


def exchanged(
    sheet: Sheet,
    columns: Sequence[str],
    rows: tuple[Sequence[int], Sequence[int]],
    holds: Holds,
    rule: str,
    *,
    others: bool = True,
) -> list[Fault]:
    """The exchange with which every row keeps the rule, where most rows, two at least, break it as printed.

    `rows` are those that keep and those that break it. With `others`, a column is also exchanged with
    one that the rule is not about.
    """
    kept, broken = rows
    if len(broken) < 2 or len(broken) < len(kept):
        return []
    free = [n for n in sheet.figures if n not in columns] if others and len(sheet.figures) <= _MOST else []
    for one, other in [*_pairs(columns), *product(columns, free)]:
        turned = [other if name == one else one if name == other else name for name in columns]
        if all(_kept(sheet, turned, place, holds) for place in (*kept, *broken)):
            said = f"Exchanged, {one!r} and {other!r} keep {rule} in every row; as printed, they do not."
            return [Fault("exchanged", tuple(place + 1 for place in broken), (one, other), said)]
    return []


def _pairs(columns: Sequence[str]) -> list[tuple[str, str]]:
    return [(one, other) for place, one in enumerate(columns) for other in columns[place + 1 :]]


def _kept(sheet: Sheet, columns: Sequence[str], place: int, holds: Holds) -> bool:
    cells = [sheet.figures[name][place] for name in columns]
    return bool(all(one is not None for one in cells) and holds([one for one in cells if one is not None]))


def judged(sheet: Sheet, columns: Sequence[str], holds: Holds) -> tuple[list[int], list[int]]:
    """The rows that keep the rule and those that break it; rows with a cell missing are neither."""
    kept: list[int] = []
    broken: list[int] = []
    for place in sheet.body:
        cells = [sheet.figures[name][place] for name in columns]
        if any(one is None for one in cells):
            continue
        answer = holds([one for one in cells if one is not None])
        if answer is not None:
            (kept if answer else broken).append(place)
    return kept, broken
