"""Printed changes, such as ``0.1456 (+0.0652)``: are they the difference from the row they refer to?"""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.linting.cells import Figure
from evenhand.linting.faults import Fault
from evenhand.linting.sheet import Sheet


def faults(sheet: Sheet) -> list[Fault]:
    """Changes in parentheses, from the nearest row above without one; and columns of changes."""
    return [*_behind(sheet), *_columns(sheet)]


def _behind(sheet: Sheet) -> Iterator[Fault]:
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


def _columns(sheet: Sheet) -> Iterator[Fault]:
    for columns in sheet.groups("before", "after", "change", shared=False):
        wrong, right = [], 0
        for place in sheet.body:
            before, after, change = (sheet.figures[name][place] for name in columns)
            if before is None or after is None or change is None:
                continue
            if _agrees(before, after, change) or _agrees(after, before, change):
                right += 1
                continue
            text = f"{sheet.name_of(place)}: {_why(before, after, change)}."
            wrong.append(Fault("difference", (place + 1,), columns, text))
        if right >= len(wrong):
            yield from wrong


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
