"""Rows that print the same figures under different names, or stand in a table twice."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from evenhand.decimals import fixed
from evenhand.linting.cells import Figure
from evenhand.linting.faults import Fault
from evenhand.linting.impact_ratios import NAMES, TABLE
from evenhand.linting.sheet import Sheet

DERIVED = ("ratio", "icat", "mean", "total", "change")  # they follow from other columns
_ODDS = 3.0  # digits beyond those that some pair of rows of so large a table shares by chance
_LEAST = 5.0


def faults(sheet: Sheet) -> list[Fault]:
    """Rows whose measured figures agree to more digits than chance can explain."""
    columns = [name for name in sheet.figures if sheet.meanings[name].meaning not in DERIVED]
    found = []
    for part in _parts(sheet):
        same: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place in part:
            same[tuple(_key(sheet, name, place) for name in columns)].append(place)
        told = [name for name in _measured(sheet, columns) if _telling(sheet, name, part)]
        for places in same.values():
            if len(places) > 1:
                found += _judged(sheet, told, places, len(part))
    return found


def _parts(sheet: Sheet) -> list[Sequence[int]]:
    """The rows that are compared: of published audits those of one table, for audits share their people."""
    if not set(NAMES) <= set(sheet.columns):
        return [sheet.body]
    tables: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place in sheet.body:
        tables[tuple(sheet.texts[place].get(name, "") for name in TABLE)].append(place)
    return list(tables.values())


def _measured(sheet: Sheet, columns: Sequence[str]) -> list[str]:
    """The columns that say something of their own: of a rate, its count and its n, two of the three."""
    if not (sheet.meaning("n") and sheet.meaning("count")):
        return list(columns)
    cells = [one for name in sheet.meaning("count") for one in sheet.figures[name] if one is not None]
    follows = "count" if any(not one.value.is_integer() for one in cells) else "rate"
    return [name for name in columns if sheet.meanings[name].meaning != follows]


def _telling(sheet: Sheet, name: str, rows: Sequence[int]) -> bool:
    """Whether a column differs from row to row, unlike the number of items of one benchmark."""
    values = [one.value for row in rows if (one := sheet.figures[name][row]) is not None]
    if sheet.meanings[name].meaning == "n" and sum(not v % 50 for v in set(values)) > len(set(values)) / 2:
        return False  # sizes that someone chose
    return len(set(values)) >= 0.5 * len(values)


def _key(sheet: Sheet, name: str, place: int) -> str:
    one = sheet.figures[name][place]
    return sheet.texts[place][name].strip() if one is None else f"{one.value!r}"


def _cells(sheet: Sheet, columns: Sequence[str], place: int) -> list[tuple[str, Figure]]:
    return [(name, one) for name in columns if (one := sheet.figures[name][place]) is not None]


def _digits(sheet: Sheet, name: str, place: int, one: Figure) -> float:
    """The digits that say something: a rate of 38 people is one of 39, however finely it is printed."""
    own = sheet.meanings[name]
    ns = [of for of in sheet.meaning("n") if sheet.meanings[of].scope == own.scope]
    of = sheet.figures[ns[0]][place] if ns else None
    if own.meaning not in ("rate", "count") or of is None or of.value <= 0:
        return one.digits
    return min(one.digits, math.log10(of.value + 1))


def _judged(sheet: Sheet, columns: Sequence[str], places: Sequence[int], among: int) -> list[Fault]:
    pairs = among * (among - 1) / 2
    needed = max(_LEAST, _ODDS + math.log10(max(pairs, 1)))
    held = {
        one.value: _digits(sheet, name, places[0], one) for name, one in _cells(sheet, columns, places[0])
    }
    digits = math.floor(sum(held.values()) + 1e-9)
    named = ", ".join(sheet.name_of(place) for place in places[:6])
    rows = tuple(place + 1 for place in places)
    if digits >= needed and len(columns) > 1:
        rarely = 10 ** min(int(digits - math.log10(max(pairs, 1))), 12)
        why = (
            f"{named} print the same figures in {len(columns)} columns ({digits} digits): by chance, "
            f"about one table in {fixed(rarely, 0)} has two such rows."
        )
        return [Fault("duplicate", rows, tuple(columns), why)]
    whole: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place in places:
        whole[tuple(sheet.texts[place][name].strip() for name in sheet.columns)].append(place)
    twice = [same for same in whole.values() if len(same) > 1 and sheet.label_columns and columns]
    return [
        Fault(
            "duplicate",
            tuple(place + 1 for place in same),
            sheet.columns,
            f"{sheet.name_of(same[0])} stands in the table {len(same)} times, the same in every column.",
        )
        for same in twice
    ]
