"""Figures outside what their definition allows: a ratio above 1, a share of 120 %, a negative count."""

from __future__ import annotations

import math
from collections.abc import Iterator

from evenhand.linting.cells import Figure
from evenhand.linting.faults import Fault
from evenhand.linting.impact_ratios import NAMES
from evenhand.linting.meanings import MEANINGS, plain
from evenhand.linting.sheet import Sheet

COUNTS = ("n", "count")
SCORES = ("lms", "ss", "icat")  # printed in one scale, and small ones of a broken model are no shares


def faults(sheet: Sheet) -> list[Fault]:
    """Every figure that no data can give."""
    return [
        fault
        for name in sheet.figures
        for fault in (*_outside(sheet, name), *_inverted(sheet, name), *_behind(sheet, name))
    ]


def _outside(sheet: Sheet, name: str) -> Iterator[Fault]:
    kind = sheet.meanings[name].meaning
    meaning = MEANINGS[kind]
    if meaning.low is None or (kind == "ratio" and set(NAMES) <= set(sheet.columns)):
        return  # the tables of audits are read with their own rules
    whole = 1.0 if kind in COUNTS else sheet.whole(sheet.meaning(*SCORES) if kind in SCORES else [name])
    least, most = meaning.low * whole, _upper(name, kind) * whole
    for place, one in enumerate(sheet.figures[name]):
        if one is None or least <= one.value <= most:
            continue
        bound = f"at most {most:g}" if one.value > most else f"at least {least:g}"
        said = f"{sheet.name_of(place)} prints {one.text}; {meaning.about} is {bound}."
        if kind == "ratio" and one.value > most:
            said += f" If it is a ratio in a fixed direction, say so: --columns none={name}"
            yield Fault("ratio_above_one", (place + 1,), (name,), said)
        else:
            yield Fault("out_of_range", (place + 1,), (name,), said)


def _upper(name: str, kind: str) -> float:
    if kind == "deo" and plain(name).endswith("max"):
        return 1.0
    high = MEANINGS[kind].high
    return math.inf if high is None else high


def _inverted(sheet: Sheet, name: str) -> Iterator[Fault]:
    """Intervals: `name` is the lower end; their figure has the same words, or stands before them."""
    if sheet.meanings[name].meaning != "low":
        return
    scope = sheet.meanings[name].scope
    uppers = [one for one in sheet.meaning("high") if sheet.meanings[one].scope == scope]
    if not uppers:
        return
    own = _own(sheet, name, uppers[0])
    columns = tuple(one for one in (own, name, uppers[0]) if one)
    turned = []
    for place in range(len(sheet.texts)):
        low, high = sheet.figures[name][place], sheet.figures[uppers[0]][place]
        middle = sheet.figures[own][place] if own else None
        if low is None or high is None or not (said := _wrong_interval(middle, low, high)):
            continue
        if low.low > high.high:
            turned.append(place + 1)
        yield Fault("interval", (place + 1,), columns, f"{sheet.name_of(place)}: {said}.")
    if len(turned) > 1 and len(turned) == len(sheet.texts):
        said = f"Every {name} is above its {uppers[0]}: the two columns stand under each other's names."
        yield Fault("exchanged", tuple(turned), (name, uppers[0]), said)


def _behind(sheet: Sheet, name: str) -> Iterator[Fault]:
    """Intervals in brackets behind their figure; what most rows break is no interval of it."""
    wrong, right = [], 0
    for place, one in enumerate(sheet.figures[name]):
        if one is None or one.ends is None:
            continue
        if said := _wrong_interval(one, *one.ends):
            wrong.append(Fault("interval", (place + 1,), (name,), f"{sheet.name_of(place)}: {said}."))
        else:
            right += 1
    if right >= len(wrong):
        yield from wrong


def _wrong_interval(middle: Figure | None, low: Figure, high: Figure) -> str:
    """What is wrong with an interval, empty where nothing is; `middle` is its own figure."""
    if low.low > high.high:
        return f"the lower end {low.text} is above the upper end {high.text}"
    if middle is not None and not (low.low <= middle.high and middle.low <= high.high):
        return f"{middle.text} is not between {low.text} and {high.text}"
    return ""


def _own(sheet: Sheet, low: str, high: str) -> str | None:
    """The column that an interval is of."""
    scope = sheet.meanings[low].scope
    others = [name for name in sheet.figures if name not in (low, high)]
    by_name = [name for name in others if scope and plain(name) == scope]
    if by_name:
        return by_name[0]
    place = min(sheet.columns.index(low), sheet.columns.index(high)) - 1
    before = sheet.columns[place] if place >= 0 else ""
    return before if not scope and before in others and sheet.meanings[before].meaning not in COUNTS else None
