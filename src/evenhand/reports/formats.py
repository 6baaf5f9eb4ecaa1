"""Numbers as text, for the command line and for the HTML report. Undefined is ``undefined``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from evenhand import decimals
from evenhand.decimals import MINUS, UNDEFINED, fixed, number
from evenhand.records import Estimate, Value

FEW = "few clusters"  # the mark of an interval that skewed data may make too short
SHOWN = 12  # displayed entries of a list in a text


def interval(estimate: Estimate, *, signed: bool = False) -> str:
    """The interval as ``low to high``, with the mark of few clusters; a dash where there is none."""
    if estimate.low is None or estimate.high is None:
        return "–"
    return _span(estimate.low, estimate.high, signed=signed) + (f", {FEW}" if estimate.few_clusters else "")


def _span(low: float, high: float, *, signed: bool) -> str:
    sizes = [abs(end) for end in (low, high) if end]
    if not sizes or min(sizes) >= 0.001 or max(sizes) >= 10 or max(sizes) < 0.00001:
        return f"{number(low, signed=signed)} to {number(high, signed=signed)}"
    # One precision for both ends: as many places as the smaller one needs, six at most.
    places = min(6, max(3, -math.floor(math.log10(min(sizes)))))
    return f"{fixed(low, places, signed=signed)} to {fixed(high, places, signed=signed)}"


def with_interval(estimate: Estimate, *, signed: bool = False) -> str:
    """The figure and its interval in brackets."""
    if estimate.value is None or estimate.low is None:
        return number(estimate.value, signed=signed)
    return f"{number(estimate.value, signed=signed)} [{interval(estimate, signed=signed)}]"


def percent(value: Value, *, signed: bool = False) -> str:
    """A share as a percentage without decimals; beyond 1000 % only that it is."""
    if value is None:
        return UNDEFINED
    if abs(value) > 10:
        return f"> {'+' if signed else ''}1000 %" if value > 0 else f"< {MINUS}1000 %"
    return decimals.percent(value, signed=signed)


def p_value(value: Value) -> str:
    """A p-value with three decimals; below 0.001 says so; a dash where no test was made."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else fixed(value)


def count(estimate: Estimate) -> str:
    """The number of defined items, and of undefined ones where there are any."""
    return f"{estimate.n}" if not estimate.undefined else f"{estimate.n} ({estimate.undefined} undefined)"


def flat(mapping: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Name and text of everything in a nested mapping, in order, such as a treatment's proof."""
    for key, value in mapping.items():
        name = before + key.replace("_", " ")
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}: ")
        else:
            yield name, plain(value)


def plain(value: Any) -> str:
    """A value in a word: a rounded figure, yes or no, a list's first `SHOWN` and how many more there are."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple):
        more = f" and {len(value) - SHOWN} more" if len(value) > SHOWN else ""
        return (", ".join(plain(item) for item in value[:SHOWN]) or "none") + more
    return "none" if value is None else str(value)


def coded(text: str) -> tuple[tuple[str, bool], ...]:
    """A text in parts, each with whether it stood between backticks and is to be typed as it is."""
    return tuple((part, place % 2 == 1) for place, part in enumerate(text.split("`")) if part)
