"""A number as a group: ages 25, 40 and 60 as borders make "<25", "25-39", "40-59" and "60+"."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from evenhand.decimals import DIGITS, significant


def names(edges: Sequence[float]) -> tuple[str, ...]:
    """The names of all bins, the lowest first; a value that equals a border belongs above it."""
    whole = all(float(edge).is_integer() for edge in edges)
    between = [_whole(a, b) if whole else f"{_text(a)} to <{_text(b)}" for a, b in pairwise(edges)]
    return (f"<{_text(edges[0])}", *between, f"{_text(edges[-1])}+")


def _whole(low: float, high: float) -> str:
    return _text(low) if high - low == 1 else f"{_text(low)}-{_text(high - 1)}"


def _text(edge: float) -> str:
    """A border in all the digits that tell numbers apart, as audits name groups of numbers."""
    return significant(edge, DIGITS)


def place(text: str, edges: Sequence[float]) -> str | None:
    """The name of the bin that a cell belongs to; None where it is no finite number."""
    value = number(text)
    return None if value is None else names(edges)[bisect_right(edges, value)]


def number(text: str) -> float | None:
    """A cell as a finite number; None where it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def problems(column: str, edges: Sequence[float]) -> list[str]:
    """What is wrong with the borders of a column; such as have the same name are not above each other."""
    finite = all(map(math.isfinite, edges))
    if not edges or not finite or any(float(_text(b)) <= float(_text(a)) for a, b in pairwise(edges)):
        return [f"the bins of {column!r} are {list(edges)}, not one or more numbers, each above the last"]
    return []


def suggested(values: Sequence[float]) -> list[float]:
    """Borders near the quartiles, in two digits; no border at or below the smallest value."""
    ordered = sorted(values)
    quartiles = [ordered[len(ordered) * q // 4] for q in (1, 2, 3)]
    rounded = sorted({float(significant(value, 2)) for value in quartiles})
    return [edge for edge in rounded if edge > ordered[0]] or [ordered[-1]]
