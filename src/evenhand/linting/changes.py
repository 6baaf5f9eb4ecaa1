"""Printed changes, such as ``0.1456 (+0.0652)``: are they the difference from the row they refer to?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evenhand.linting.cells import Figure
from evenhand.linting.faults import Fault
from evenhand.linting.meanings import without
from evenhand.linting.sheet import Sheet


def faults(sheet: Sheet) -> list[Fault]:
    """Changes in parentheses, from the same row's figure before treatment or from a row above."""
    return [*_beside(sheet), *_behind(sheet)]


def _beside(sheet: Sheet) -> Iterator[Fault]:
    """Changes of a figure that stands before and after treatment in one row: behind it, or in a column."""
    pairs = sheet.pairs()
    columns = {name: without("change", name) for name in sheet.named_as("change")}
    for what, (before, after) in pairs.items():
        yield from _of_pair(sheet, (before, after), [one and one.change for one in sheet.figures[after]])
        for change, of in columns.items():
            if change not in (before, after) and (of == what or (not of and len(pairs) == 1)):
                yield from _of_pair(sheet, (before, after, change), sheet.figures[change])


def _of_pair(sheet: Sheet, columns: tuple[str, ...], changes: Sequence[Figure | None]) -> Iterator[Fault]:
    """The changes that fail, in either direction; none where most do: they are of something else."""
    wrong, right = [], 0
    for place in sheet.body:
        before, after = (sheet.figures[name][place] for name in columns[:2])
        change = changes[place]
        if before is None or after is None or change is None:
            continue
        if _agrees(before, after, change) or (len(columns) > 2 and _agrees(after, before, change)):
            right += 1
            continue
        text = f"{sheet.name_of(place)}: {_why(before, after, change)}."
        wrong.append(Fault("difference", (place + 1,), columns, text))
    if right >= len(wrong):
        yield from wrong


def _behind(sheet: Sheet) -> Iterator[Fault]:
    """Changes behind a figure, from the nearest row above without one."""
    wrong: list[Fault] = []
    right = 0
    for place in sheet.body:
        from_row = _reference(sheet, place)
        for name, read in sheet.figures.items():
            after, before = read[place], None if from_row is None else read[from_row]
            if from_row is None or after is None or before is None or after.change is None:
                continue
            if _agrees(before, after, after.change):
                right += 1
                continue
            wrong.append(
                Fault(
                    "difference",
                    (from_row + 1, place + 1),
                    (name,),
                    f"{sheet.name_of(place)}: {_why(before, after, after.change)}.",
                )
            )
    # Where most changes fail, they are changes from something else than the row above.
    if right >= len(wrong):
        yield from wrong


def _reference(sheet: Sheet, place: int) -> int | None:
    """The nearest row above in which no figure has a change behind it."""
    for earlier in range(place - 1, -1, -1):
        cells = [read[earlier] for read in sheet.figures.values()]
        if any(one is not None for one in cells) and not any(one is not None and one.change for one in cells):
            return earlier
    return None


def _agrees(before: Figure, after: Figure, change: Figure) -> bool:
    """Whether it is the difference (also in percentage points), or the relative difference in percent."""
    slack = before.half + after.half
    if abs(after.value - before.value - change.value) <= slack + change.half:
        return True
    if abs(100 * (after.value - before.value) - change.value) <= 100 * slack + change.half:
        return change.percent
    if before.value == 0:
        return False
    relative = after.value / before.value - 1
    rough = slack * (1 + abs(relative)) / abs(before.value)
    return change.percent and abs(100 * relative - change.value) <= 100 * rough + change.half


def _why(before: Figure, after: Figure, change: Figure) -> str:
    places = max(before.places, after.places)
    return (
        f"{after.text} − {before.text} = {after.value - before.value:+.{places}f}, "
        f"and {change.value:+.{change.places}f} is printed"
    )
