"""Means and totals, as columns and as rows: do their parts give them?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evenhand.linting.cells import Figure
from evenhand.linting.faults import Fault
from evenhand.linting.sheet import MEAN_ROWS, TOTAL_ROWS, Sheet

Cells = Sequence[Figure | None]
Line = tuple[tuple[int, ...], tuple[str, ...], str, Figure, Sequence[Figure]]
"""The rows, the columns and the name of one mean or total, the figure itself and its parts."""


def faults(sheet: Sheet) -> list[Fault]:
    """Means and totals that their parts contradict, where the others of the table show what the parts are."""
    found: list[Fault] = []
    for kind in ("mean", "total"):
        for name in sheet.meaning(kind) if sheet.meaning("part") else sheet.named_as(kind):
            found += _column(sheet, name, kind)
    for kind, names in (("mean", MEAN_ROWS), ("total", TOTAL_ROWS)):
        for place in sheet.rows_named(names):
            found += _row(sheet, place, kind)
    return found


def _column(sheet: Sheet, name: str, kind: str) -> list[Fault]:
    named = sheet.meaning("part")
    for parts in [named] if named else _runs(sheet, name):
        lines = [line for place in range(len(sheet.texts)) if (line := _line(sheet, name, parts, place))]
        found = _judged(lines, kind, told=bool(named))
        if found is not None:
            return found
    return []


def _runs(sheet: Sheet, name: str) -> list[list[str]]:
    """The columns that a mean may be of, the more first: unbroken runs that end or begin beside it."""
    names = [one for one in sheet.figures if sheet.meanings[one].meaning not in ("low", "high", "change")]
    place = names.index(name)
    before, after = names[:place], names[place + 1 :]
    runs = [before[start:] for start in range(len(before) - 1)]
    return runs + [after[:end] for end in range(len(after), 1, -1)]


def _line(sheet: Sheet, name: str, parts: Sequence[str], place: int) -> Line | None:
    whole = sheet.figures[name][place]
    cells = [one for part in parts if (one := sheet.figures[part][place]) is not None]
    if whole is None or len(cells) < len(parts):
        return None
    return (place + 1,), (*parts, name), sheet.name_of(place), whole, cells


def _row(sheet: Sheet, place: int, kind: str) -> list[Fault]:
    """A row of means or totals, of the rows above it as far as the next such row."""
    above: list[int] = []
    for earlier in range(place - 1, -1, -1):
        if earlier not in sheet.body:
            break
        above.insert(0, earlier)
    lines: list[Line] = []
    for name, read in sheet.figures.items():
        whole, cells = read[place], [one for row in above if (one := read[row]) is not None]
        if whole is not None and len(cells) == len(above) > 1:
            rows = (*(row + 1 for row in above), place + 1)
            lines.append((rows, (name,), f"{sheet.name_of(place)}, {name}", whole, cells))
    return _judged(lines, kind, told=False) or []


def _judged(lines: Sequence[Line], kind: str, *, told: bool) -> list[Fault] | None:
    """The lines that fail; None where too few hold to say that these are the parts."""
    between = _mean_between if kind == "mean" else _total_between
    wrong = [line for line in lines if not _holds(line, between)]
    right = len(lines) - len(wrong)
    if not lines or (not told and (right < 2 or right < len(wrong))):
        return None
    return [_fault(line, kind) for line in wrong]


def _fault(line: Line, kind: str) -> Fault:
    rows, columns, name, whole, cells = line
    value = sum(one.value for one in cells) / (len(cells) if kind == "mean" else 1)
    printed = f"{value:.{whole.places + (kind == 'mean')}f}"
    what = "mean" if kind == "mean" else "sum"
    said = ", ".join(one.text for one in cells[:8]) + (" ..." if len(cells) > 8 else "")
    return Fault(
        kind, rows, columns, f"{name}: the {what} of {said} is {printed}, and {whole.text} is printed."
    )


def _holds(line: Line, between: Callable[[Sequence[Figure]], tuple[float, float]]) -> bool:
    low, high = between(line[4])
    return line[3].low <= high and low <= line[3].high


def _mean_between(cells: Sequence[Figure]) -> tuple[float, float]:
    """The least and the greatest mean of figures that are printed so."""
    n = len(cells)
    return sum(one.low for one in cells) / n, sum(one.high for one in cells) / n


def _total_between(cells: Sequence[Figure]) -> tuple[float, float]:
    """The least and the greatest sum; whole numbers are exact."""
    rough = sum(one.half for one in cells if one.places)
    total = sum(one.value for one in cells)
    return total - rough, total + rough
