"""Figures over time: rollups in periods of days, read with a number of queries that does not grow.

A share is given with its mean since the first day, and limits of that mean which hold at all times together
(`evenhand.stats.sequences`); any other figure with the 95 % interval of its period alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from evenhand.monitor.figures import GROUPS, Question, extent, number_of, ripe_until, sums_by_period
from evenhand.monitor.indicators import INDICATORS, Group, Indicator, Sums
from evenhand.records import Value
from evenhand.stats.sequences import rate_sequence

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

POINTS = 53  # of a line, where no step is asked for
MOST = 366  # points of a line


@dataclass(frozen=True)
class Period:
    """Some days, both included: the `sums` of all, and `ripe` of those whose labels count as known."""

    first: date
    last: date
    sums: Sums
    ripe: Sums


@dataclass(frozen=True)
class Point:
    """A figure of one period.

    Attributes:
        indicator, group, detail: which; the group is empty for everybody's, and for one that compares.
        first, last: the days of the period.
        n: what it is made of.
        value: in the period.
        mean: of a share, its mean since the first day; None for other figures.
        low, high: of a share limits of `mean` at all times; else the interval of `value`.
    """

    indicator: str
    group: str
    detail: str
    first: date
    last: date
    n: int
    value: float
    mean: Value
    low: Value
    high: Value


def history(store: Store, question: Question, step: int = 0) -> tuple[Point, ...]:
    """The points of every indicator, in the order of the days; by default at most `POINTS` of a line.

    Periods are of `step` days, or of more where there would be over `MOST`. Everybody alone is given where
    the attribute has more than `GROUPS` groups and the question names none.

    Raises:
        NotThere: there is no such use case.
    """
    with store.reading() as connection:
        number = number_of(connection, question.use_case)
        days = extent(connection, number, question)
        if days is None:
            return ()
        if days.groups > GROUPS and not question.group:
            question = replace(question, attribute="")
        starts = _starts(days.first, days.last, step)
        ends = [*(start - timedelta(days=1) for start in starts[1:]), days.last]
        own = sums_by_period(connection, number, question, starts[1:], matured=False)
        ripe = own
        if question.maturity:
            ripe = sums_by_period(connection, number, question, starts[1:], matured=True)
    until = ripe_until(question)
    periods = [Period(*given) for given in zip(starts, ends, own, ripe, strict=True)]
    kept = len(periods) if not question.maturity else bisect_left(starts, until + timedelta(days=1))
    return tuple(points(periods, kept))


def _starts(first: date, last: date, step: int) -> list[date]:
    """The first days of periods of `step` days, or of as many as keep the number of points."""
    days = (last - first).days + 1
    if not step:
        step = 1 if days <= POINTS else 7 * -(-days // (7 * POINTS))
    step = max(step, -(-days // MOST))
    return [first + timedelta(days=at) for at in range(0, days, step)]


def points(periods: Sequence[Period], ripe: int) -> Iterator[Point]:
    """The points of every indicator; those of labels in the first `ripe` periods only."""
    for indicator in INDICATORS.values():
        used = periods[:ripe] if indicator.matured else periods
        sums = [one.ripe if indicator.matured else one.sums for one in used]
        if indicator.part is not None:
            yield from _shares(indicator, used, sums)
        if indicator.part is None or indicator.name == "toxicity":
            yield from _others(indicator, used, sums)


def _shares(indicator: Indicator, periods: Sequence[Period], sums: Sequence[Sums]) -> Iterator[Point]:
    assert indicator.part is not None
    names = ["", *_names(sums)]
    counted = np.zeros((len(names), len(periods), 2))  # [group, period, hits and n]
    for at, one in enumerate(sums):
        held = {group.value: group for group in one.groups} | {"": one.everybody}
        for place, name in enumerate(names):
            counted[place, at] = indicator.part(held.get(name, Group(name, {})))
    hits, n = np.cumsum(counted, axis=1).transpose(2, 0, 1)  # [group, period] each
    if not n.any():
        return
    low, high = rate_sequence(hits, n)
    for place, name in enumerate(names):
        for at, period in enumerate(periods):
            x, of = counted[place, at]
            if of:
                mean = float(hits[place, at] / n[place, at])
                ends = float(low[place, at]), float(high[place, at])
                days = period.first, period.last
                yield Point(indicator.name, name, "", *days, int(of), float(x / of), mean, *ends)


def _names(sums: Iterable[Sums]) -> list[str]:
    return sorted({group.value for one in sums for group in one.groups if group.value})


def _others(indicator: Indicator, periods: Sequence[Period], sums: Sequence[Sums]) -> Iterator[Point]:
    for period, one in zip(periods, sums, strict=True):
        for found in indicator.of(one):
            if found.value is None or (indicator.part is not None and not found.detail):
                continue
            ends = found.low, found.high
            days = period.first, period.last
            yield Point(indicator.name, found.group, found.detail, *days, found.n, found.value, None, *ends)
