"""Published tables of impact ratios: do their own counts, or their own rates, give what they print?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from evenhand.decimals import fixed
from evenhand.frames import is_missing
from evenhand.frames.values import number

NAMES = ("number_of_applications", "n_selected_or_n_above_median", "result", "impact_ratio")
TABLE = ("audit_id", "selection_or_scoring_rate", "protected_char_group")
GROUP = ("race_ethnicity", "sex")
_SLACK = 1e-9


class Standing(StrEnum):
    """What a table's printed ratios follow from."""

    COUNTS = "its counts give the printed ratios"
    RATES = "its printed rates give the printed ratios, its counts do not"
    ROUNDED = "its ratios lie within the rounding of its printed rates"
    INTERLEAVED = (
        "not judged: the audit has several thresholds, whose rows may stand under each other's names"
    )
    CONTRADICTED = "neither its counts nor its rates give the printed ratios"
    EMPTY = "it prints no ratio"


@dataclass(frozen=True)
class Row:
    """One category of a published table; None where nothing is printed. `place` counts from 0."""

    place: int
    group: str
    n: float | None
    selected: float | None
    rate: float | None
    ratio: float | None
    digits: int
    rate_digits: int

    @property
    def derived(self) -> bool:
        """Whether the count is the printed rate times the people, which says no more than the rate."""
        if self.n is None or self.selected is None or self.rate is None:
            return False
        return abs(self.selected - self.rate * self.n) < 1e-6 * max(self.n, 1)


@dataclass(frozen=True)
class Misprint:
    """What is wrong with one row: its place in the file, counted from 0 below the header, and why."""

    place: int
    text: str


@dataclass(frozen=True)
class Published:
    """One published table.

    Attributes:
        name: audit, threshold and categories.
        standing: what its printed ratios follow from.
        above_one: printed ratios above 1, which the rule makes impossible.
        contradictions: rows whose counts do not give the printed ratio.
        of_nobody: ratios that are printed for categories of nobody.
        unknown: people of unknown category.
    """

    name: str
    standing: Standing
    above_one: tuple[Misprint, ...]
    contradictions: tuple[Misprint, ...]
    of_nobody: tuple[Misprint, ...]
    unknown: int


def judged_tables(rows: Sequence[Mapping[str, Any]]) -> list[Published]:
    """Every table of a file of published audits, one row a category."""
    tables: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    unknown: dict[tuple[str, ...], int] = defaultdict(int)
    for place, cells in enumerate(rows):
        key = tuple(str(cells.get(name, "")) for name in TABLE)
        row = _row(place, cells)
        if "unknown" in row.group.lower():
            unknown[key] += int(row.n or 0)
        else:
            tables[key].append(row)
    mixed = _several_thresholds(tables)
    return [_judged(key, own, key in mixed, unknown[key]) for key, own in tables.items()]


def _row(place: int, cells: Mapping[str, Any]) -> Row:
    texts = {name: str(cells.get(name, "")) for name in NAMES}
    n, selected, rate, ratio = (None if is_missing(t) else number(t) for t in texts.values())
    group = " / ".join(str(cells.get(name, "")) for name in GROUP if str(cells.get(name, "")) != "Total")
    return Row(place, group, n, selected, rate, ratio, _digits(texts[NAMES[3]]), _digits(texts[NAMES[2]]))


def _digits(text: str) -> int:
    """The decimals that were printed; a file may hold .4270000000000001 for .427."""
    value = number(text)
    if value is None:
        return 0
    return len(fixed(value, 6).rstrip("0").partition(".")[2])


def _several_thresholds(tables: Mapping[tuple[str, ...], Sequence[Row]]) -> set[tuple[str, ...]]:
    """The tables of audits that print the same categories at several thresholds of the score."""
    thresholds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for audit, threshold, categories in tables:
        thresholds[audit, categories].add(threshold)
    return {key for key in tables if len(thresholds[key[0], key[2]]) > 1}


def _judged(key: tuple[str, ...], rows: Sequence[Row], mixed: bool, unknown: int) -> Published:
    name = " · ".join(key)
    printed = [row for row in rows if row.ratio is not None and row.n != 0]
    nobody = tuple(_printed(name, row) for row in rows if row.ratio is not None and row.n == 0)
    above = tuple(_printed(name, row) for row in printed if row.ratio is not None and row.ratio > 1)
    if not printed:
        return Published(name, Standing.EMPTY, (), (), nobody, unknown)
    digits = _common(row.digits for row in printed)
    by_counts, by_rates = _ratios(printed, counts=True), _ratios(printed, counts=False)
    if _equal(printed, by_counts, digits):
        standing = Standing.COUNTS
    elif _equal(printed, by_rates, digits):
        standing = Standing.RATES
    elif all(_within_rounding(row, printed, digits) for row in printed):
        standing = Standing.ROUNDED
    elif mixed:
        standing = Standing.INTERLEAVED
    else:
        standing = Standing.CONTRADICTED
    wrong = (
        ()
        if standing in (Standing.COUNTS, Standing.INTERLEAVED)
        else _wrong(name, printed, by_counts, digits)
    )
    return Published(name, standing, above, wrong, nobody, unknown)


def _printed(name: str, row: Row) -> Misprint:
    return Misprint(row.place, f"{name}: {row.group} {row.ratio:g}")


def _common(digits: Iterable[int]) -> int:
    """The most frequent number of decimals: a table may hold single ratios with more, and 0.9 for 0.90."""
    counts = Counter(digits)
    return max(counts, key=lambda one: (counts[one], one))


def _last(row: Row, digits: int) -> float:
    """Half a unit of the last decimal that a row prints, in a table with `digits` decimals."""
    return float(0.5 * 10 ** -max(row.digits, digits)) + _SLACK


def _ratios(rows: Sequence[Row], *, counts: bool) -> list[float | None]:
    """Each row's rate over the highest, from counts or from printed rates."""
    found = [_rate(row, counts) for row in rows]
    highest = max((rate for rate in found if rate is not None), default=0.0)
    return [None if rate is None or highest == 0 else rate / highest for rate in found]


def _rate(row: Row, counts: bool) -> float | None:
    if not counts:
        return row.rate
    if row.n and row.selected is not None:
        return row.selected / row.n
    # A category of nobody, or whose count is not printed: nothing to divide.
    return None


def _equal(rows: Sequence[Row], ratios: Sequence[float | None], digits: int) -> bool:
    """Whether every ratio, at the digits that the table prints, is the printed one."""
    return all(
        ratio is not None and row.ratio is not None and bool(abs(ratio - row.ratio) <= _last(row, digits))
        for row, ratio in zip(rows, ratios, strict=True)
    )


def _within_rounding(row: Row, rows: Sequence[Row], digits: int) -> bool:
    """Whether rates that round to the printed ones can give the row's printed ratio; False without rates."""
    if row.rate is None or row.ratio is None or any(one.rate is None for one in rows):
        return False
    half = 0.5 * 10 ** -max(one.rate_digits for one in rows)
    last: float = _last(row, digits)
    highest = max(one.rate for one in rows if one.rate is not None)
    low, high = (row.rate - half) / (highest + half), (row.rate + half) / max(highest - half, half)
    return bool(low - last <= row.ratio <= min(high, 1.0) + last)


def _wrong(
    name: str, rows: Sequence[Row], by_counts: Sequence[float | None], digits: int
) -> tuple[Misprint, ...]:
    """Rows whose own count gives another ratio than the printed one.

    A count that was made from the printed rate is as rough as that, and is held to the rate's rounding.
    """
    found = []
    for row, ratio in zip(rows, by_counts, strict=True):
        if ratio is None or row.ratio is None or abs(ratio - row.ratio) <= _last(row, digits):
            continue
        if not (row.derived and _within_rounding(row, rows, digits)):
            said = f"{name}: {row.group} prints {row.ratio:g}, its counts give {ratio:.{digits + 2}f}"
            found.append(Misprint(row.place, said))
    return tuple(found)
