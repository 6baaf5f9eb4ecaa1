"""Rates beside their counts: counts above their total, rates that they contradict or cannot give."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evenhand.linting.cells import Figure
from evenhand.linting.exchanges import exchanged, judged
from evenhand.linting.faults import Fault
from evenhand.linting.sheet import Sheet

_BY_CHANCE = 0.5  # the part of all shares, printed so finely, that some count of so many gives


def faults(sheet: Sheet) -> list[Fault]:
    """Rows whose counts and rates cannot stand beside each other."""
    found: list[Fault] = []
    blamed: set[tuple[str, int]] = set()
    for count, n in sheet.groups("count", "n"):
        above = [place for place in sheet.body if _above(sheet, count, n, place)]
        found += [_above_total(sheet, count, n, place) for place in above]
        for rate in _rates(sheet, count):
            own, broken = _contradicted(sheet, rate, count, n, above)
            found += own
            blamed |= {(rate, place) for place in broken}
    for rate, of in _shares(sheet):
        found += [fault for fault in _precision(sheet, rate, of) if (rate, fault.rows[0] - 1) not in blamed]
    return found


def _rates(sheet: Sheet, count: str) -> list[str]:
    """The rates that a count can be of: those of its scope, else the only one."""
    rates = sheet.meaning("rate")
    own = [name for name in rates if sheet.meanings[name].scope == sheet.meanings[count].scope]
    return own or (rates if len(rates) == 1 else [])


def _above(sheet: Sheet, count: str, n: str, place: int) -> bool:
    some, of = sheet.figures[count][place], sheet.figures[n][place]
    return some is not None and of is not None and some.value - _rough(some) > of.value


def _above_total(sheet: Sheet, count: str, n: str, place: int) -> Fault:
    some, of = (one for name in (count, n) if (one := sheet.figures[name][place]))
    why = f"{sheet.name_of(place)}: {some.text} of {of.text} is more than all."
    return Fault("count_above_total", (place + 1,), (count, n), why)


def _contradicted(
    sheet: Sheet, rate: str, count: str, n: str, above: Sequence[int]
) -> tuple[list[Fault], list[int]]:
    """Rows whose rate is not count over n, and their places."""
    whole = sheet.whole([rate])

    def gives(cells: Sequence[Figure]) -> bool | None:
        printed, some, of = cells
        if of.value <= 0:
            return None
        least = whole * max(some.value - _rough(some), 0) / of.value
        most = whole * (some.value + _rough(some)) / of.value
        return printed.low <= most + 1e-9 and least - 1e-9 <= printed.high

    columns = (rate, count, n)
    kept, broken = judged(sheet, columns, gives)
    turned = exchanged(sheet, columns, (kept, broken), gives, f"{rate} = {count} / {n}")
    if not kept and len(broken) > 2 and not turned and not above and {rate, count, n} - sheet.told:
        return [], []  # no row fits: the rate is a share of something else
    found = []
    for place in broken:
        printed, some, of = (one for name in columns if (one := sheet.figures[name][place]))
        given = whole * some.value / of.value
        said = f"{some.text} of {of.text} is {given:.{printed.places}f}, and {printed.text} is printed"
        why = f"{sheet.name_of(place)}: {said}."
        found.append(Fault("contradicted_rate", (place + 1,), columns, why))
    return [*found, *turned], broken


def _rough(count: Figure) -> float:
    """By how much a count may be off: one with decimals was itself made from a rate."""
    return count.half if count.places else 0.0


def _shares(sheet: Sheet) -> list[tuple[str, str | None]]:
    """Rates with the column that says of how many they are; None for the number that the user gave."""
    own = sheet.groups("rate", "n", shared=False)
    pairs: list[tuple[str, str | None]] = [(rate, n) for rate, n in own]
    if sheet.n is not None:
        with_n = {rate for rate, _ in own}
        pairs += [(rate, None) for rate in sheet.meaning("rate") if rate not in with_n]
    return pairs


def _precision(sheet: Sheet, rate: str, n: str | None) -> list[Fault]:
    whole = sheet.whole([rate])
    found = []
    fitting = 0  # rows that fit by more than chance
    for place in sheet.body:
        printed = sheet.figures[rate][place]
        of = sheet.n if n is None else _people(sheet, n, place)
        if printed is None or not of or not 0 <= printed.value <= whole:
            continue
        if _possible(printed, of, whole):
            fitting += 2 * printed.half * of < _BY_CHANCE * whole
            continue
        below = math.floor(printed.value * of / whole)
        near = " and ".join(f"{k} give {whole * k / of:.{printed.places + 1}f}" for k in (below, below + 1))
        why = f"{sheet.name_of(place)}: no count of {of} gives {printed.text}; {near}."
        found.append(Fault("precision", (place + 1,), (rate,) if n is None else (rate, n), why))
    if not fitting and len(found) > 2 and n is not None and n not in sheet.told:
        return []  # no row fits: the rate is a share of something else
    return found


def _people(sheet: Sheet, n: str, place: int) -> int | None:
    """The whole number of people in a row, None where it is rounded, such as 1.2e5."""
    one = sheet.figures[n][place]
    return int(one.value) if one is not None and one.value > 0 and float(one.value).is_integer() else None


def _possible(printed: Figure, of: int, whole: float) -> bool:
    """Whether a count of `of` gives the printed share, rounded up or down where it lies half-way."""
    least = math.ceil(printed.low * of / whole - 1e-9)
    return max(least, 0) <= printed.high * of / whole + 1e-9
