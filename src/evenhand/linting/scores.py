"""Figures that others of the same row bound or give: DPD beside DEO, ICAT beside LMS and SS."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from evenhand.linting.cells import Figure
from evenhand.linting.exchanges import exchanged, judged
from evenhand.linting.faults import Fault
from evenhand.linting.meanings import plain
from evenhand.linting.sheet import Sheet


def faults(sheet: Sheet) -> list[Fault]:
    """Rows in which a figure contradicts those beside it, and columns whose exchange would mend all rows."""
    return [*_parity(sheet), *_icat(sheet)]


def _parity(sheet: Sheet) -> list[Fault]:
    found: list[Fault] = []
    for columns in sheet.groups("dpd", "deo"):
        if "mean" in plain(columns[1]).split() or sheet.whole(columns[:1]) != sheet.whole(columns[1:]):
            continue
        kept, broken = judged(sheet, columns, _within)
        for place in broken:
            dpd, deo = (one for name in columns if (one := sheet.figures[name][place]))
            apart = (dpd.low - deo.high) / sheet.whole(columns)
            why = (
                f"{sheet.name_of(place)}: DPD {dpd.text} is above DEO {deo.text}. On the same people, or on "
                "groups of equal base rates, the gap in all decisions is at most the greater of the gaps at "
                f"either label; otherwise the base rates would have to be at least {apart:.3f} apart."
            )
            found.append(Fault("dpd_above_deo", (place + 1,), columns, why))
        found += exchanged(sheet, columns, (kept, broken), _within, "DPD ≤ DEO", others=False)
    return found


def _within(cells: Sequence[Figure]) -> bool | None:
    dpd, deo = cells
    return None if dpd.value == deo.value else dpd.low <= deo.high


def _icat(sheet: Sheet) -> list[Fault]:
    found: list[Fault] = []
    for columns in sheet.groups("lms", "ss", "icat"):
        whole = sheet.whole(sheet.meaning("lms", "ss", "icat"))

        def follows(cells: Sequence[Figure], whole: float = whole) -> bool:
            low, high = _icat_between(cells[0], cells[1], whole)
            return cells[2].low <= high and low <= cells[2].high

        kept, broken = judged(sheet, columns, follows)
        for place in broken:
            lms, ss, icat = (one for name in columns if (one := sheet.figures[name][place]))
            given = _score(lms.value, ss.value, whole)
            why = (
                f"{sheet.name_of(place)}: LMS {lms.text} and SS {ss.text} give ICAT "
                f"{lms.text} · min({ss.text}, {whole - ss.value:.{ss.places}f}) / {whole / 2:g} = "
                f"{given:.{icat.places}f}, and {icat.text} is printed."
            )
            found.append(Fault("icat", (place + 1,), columns, why))
        found += exchanged(sheet, columns, (kept, broken), follows, "ICAT = LMS · min(SS, 100 − SS) / 50")
    return found


def _score(lms: float, ss: float, whole: float) -> float:
    return lms * min(ss, whole - ss) / (whole / 2)


def _icat_between(lms: Figure, ss: Figure, whole: float) -> tuple[float, float]:
    """The least and the greatest ICAT of scores that are printed so."""
    ends = [_score(one, two, whole) for one, two in product((lms.low, lms.high), (ss.low, ss.high))]
    if ss.low <= whole / 2 <= ss.high:
        ends.append(_score(lms.high, whole / 2, whole))
    return min(ends) - 1e-9, max(ends) + 1e-9
