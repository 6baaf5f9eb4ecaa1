"""Impact ratios: is each the group's rate over the highest, from counts or from printed rates?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from evenhand.linting.cells import Figure
from evenhand.linting.faults import Fault
from evenhand.linting.impact_ratios import NAMES, Published, judged_tables
from evenhand.linting.sheet import Sheet

_KINDS = (
    ("ratio_above_one", "above_one", "above 1, which no rate over the highest rate can be"),
    ("contradicted_ratio", "contradictions", ""),
    ("ratio_of_nobody", "of_nobody", "a ratio of a group of nobody"),
)


def faults(sheet: Sheet) -> list[Fault]:
    """Audits under Local Law 144 by their own rules; elsewhere ratios that break what most rows keep."""
    if set(NAMES) <= set(sheet.columns):
        return [fault for table in judged_tables(sheet.texts) for fault in _of_audit(table)]
    return [fault for columns in sheet.groups("rate", "ratio") for fault in _of_rates(sheet, *columns)]


def _of_audit(table: Published) -> Iterator[Fault]:
    for kind, held, said in _KINDS:
        for one in getattr(table, held):
            text = f"{one.text}{f' is printed: {said}' if said else ''}."
            yield Fault(kind, (one.place + 1,), (NAMES[3],), text)


def _of_rates(sheet: Sheet, rate: str, ratio: str) -> list[Fault]:
    """The rows that fail in the best way to divide the table into systems, where half of the rows hold."""
    best: tuple[int, list[Fault]] = (0, [])
    for by in ("", *sheet.label_columns):
        right = 0
        wrong: list[Fault] = []
        for rows in _systems(sheet, by):
            held, own = _system(sheet, rate, ratio, rows)
            right, wrong = right + held, wrong + own
        if right >= max(1, len(wrong)) and right > best[0]:
            best = (right, wrong)
    return best[1]


def _systems(sheet: Sheet, by: str) -> list[list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place in sheet.body:
        found[sheet.texts[place][by].strip() if by else ""].append(place)
    return list(found.values())


def _system(sheet: Sheet, rate: str, ratio: str, rows: Sequence[int]) -> tuple[int, list[Fault]]:
    """How many rows hold, and the others.

    None at all where the highest rate is not beside a ratio of 1, unless two others hold, and most rows, or
    the other of two: the rates are over this one then, and its own ratio is wrong.
    """
    cells = {
        place: (one, two)
        for place in rows
        if (one := sheet.figures[rate][place]) is not None
        and (two := sheet.figures[ratio][place]) is not None
    }
    if len(cells) < 2:
        return 0, []
    highest = max((one for one, _ in cells.values()), key=lambda one: one.value)
    wrong = [place for place, (one, two) in cells.items() if not _gives(one, highest, two)]
    right = len(cells) - len(wrong)
    anchored = any(two.low <= 1.0 <= two.high for one, two in cells.values() if one.value == highest.value)
    if not anchored and (right < 2 or right <= len(wrong)) and (right < 1 or len(sheet.body) > 2):
        return 0, []
    found = []
    for place in wrong:
        one, two = cells[place]
        given = f"{one.value / highest.value:.{two.places}f}" if highest.value else "undefined"
        why = f"{sheet.name_of(place)}: {one.text} / {highest.text} = {given}, and {two.text} is printed."
        found.append(Fault("contradicted_ratio", (place + 1,), (rate, ratio), why))
    return right, found


def _gives(rate: Figure, highest: Figure, ratio: Figure) -> bool:
    low = max(rate.low, 0.0) / highest.high
    high = min(rate.high / highest.low, 1.0) if highest.low > 0 else 1.0
    return ratio.low <= high and low <= ratio.high
