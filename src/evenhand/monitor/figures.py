"""Sums of rollups for a question, and the figures of all indicators."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import and_, case, func, literal_column, or_, select

from evenhand.errors import UnknownName
from evenhand.monitor.events import CROSS
from evenhand.monitor.indicators import INDICATORS, Figure, Group, Sums
from evenhand.monitor.known import uncrossed
from evenhand.monitor.roles import NotThere, Principal
from evenhand.monitor.rollups import BINS, COUNTS, SCORES
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.tables import cells, groups, score_cells, streams, use_cases

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

GROUPS = 50  # of an attribute that is shown group by group over time


@dataclass(frozen=True)
class Question:
    """Which figures are wanted.

    Attributes:
        use_case: the use case.
        model, version: of these only; empty for all.
        attribute: by which the groups are made, such as ``sex`` or ``race*sex``; empty for everybody alone.
        since, until: the days (UTC), both included; None for all.
        maturity: days until a label counts as known; younger days are left out where labels matter.
        group: of the groups of the attribute this one only; empty for all.
    """

    use_case: str
    model: str = ""
    version: str = ""
    attribute: str = ""
    since: date | None = None
    until: date | None = None
    maturity: int = 0
    group: str = ""


@dataclass(frozen=True)
class Extent:
    """The first and last day of what a question is about, and how many groups its attribute has."""

    first: date
    last: date
    groups: int


@dataclass(frozen=True)
class Version:
    """A version of a model in a use case, with how much has come of it."""

    use_case: str
    model: str
    version: str
    events: int
    first: date | None
    last: date | None


def versions(store: Store, who: Principal, use_case: str = "") -> list[Version]:
    """The versions that `who` sees, the latest first."""
    c = cells.c
    query = (
        select(
            use_cases.c.name,
            streams.c.model,
            streams.c.version,
            func.sum(c.events + c.generations),
            func.min(c.day),
            func.max(c.day),
        )
        .select_from(streams.join(use_cases).join(cells).join(groups, groups.c.id == c.group_id))
        .where(groups.c.attribute == "")
        .group_by(use_cases.c.name, streams.c.model, streams.c.version)
    )
    if use_case:
        query = query.where(use_cases.c.name == use_case)
    with store.reading() as connection:
        found = [Version(*row[:3], int(row[3]), *row[4:]) for row in connection.execute(query)]
    seen = [one for one in found if who.sees(one.use_case)]
    return sorted(seen, key=lambda one: (one.last or date.min, one.use_case, one.model, one.version))[::-1]


def attributes(store: Store, use_case: str) -> list[str]:
    """The attributes of a use case, and after them their intersections."""
    query = (
        select(groups.c.attribute)
        .join(use_cases)
        .where(use_cases.c.name == use_case, groups.c.attribute != "")
        .distinct()
    )
    with store.reading() as connection:
        found = connection.scalars(query).all()
    return sorted(found, key=lambda name: ("*" in name, name))


def intersections(store: Store, use_case: str, attribute: str, group: str) -> list[tuple[str, str]]:
    """The intersections (attribute and value) of a group of one attribute with groups of others."""
    if CROSS in attribute:
        return []
    c = groups.c
    crosses = or_(
        c.attribute.startswith(attribute + CROSS, autoescape=True),
        c.attribute.endswith(CROSS + attribute, autoescape=True),
    )
    query = select(c.attribute, c.value).join(use_cases).where(use_cases.c.name == use_case, crosses)
    with store.reading() as connection:
        found = connection.execute(query.order_by(c.attribute, c.value)).all()
    return [
        (name, value)
        for name, value in found
        if len(parts := uncrossed(value)) == 2 and parts[name.split(CROSS).index(attribute)] == group
    ]


def figures(store: Store, question: Question, names: Iterable[str] = ()) -> list[Figure]:
    """The figures of the indicators `names` (all by default), of the rollups alone.

    Raises:
        UnknownName: there is no such indicator.
        NotThere: there is no such use case.
    """
    wanted = list(names) or list(INDICATORS)
    for name in wanted:
        if name not in INDICATORS:
            raise UnknownName("indicator", name, INDICATORS)
    with store.reading() as connection:
        number = number_of(connection, question.use_case)
        all_days = sums(connection, number, question, matured=False)
        ripe = all_days
        if question.maturity and any(INDICATORS[name].matured for name in wanted):
            ripe = sums(connection, number, question, matured=True)
    return [
        one for name in wanted for one in INDICATORS[name].of(ripe if INDICATORS[name].matured else all_days)
    ]


def number_of(connection: Connection, use_case: str) -> int:
    """The number of a use case.

    Raises:
        NotThere: there is none of this name.
    """
    number: int | None = connection.scalar(select(use_cases.c.id).where(use_cases.c.name == use_case))
    if number is None:
        raise NotThere(
            f"Nothing has come in for the use case {use_case!r}.",
            mend="Send events with this use_case, or name another.",
        )
    return number


def extent(connection: Connection, use_case: int, question: Question) -> Extent | None:
    """From when to when there is something, and of how many groups; None where there is nothing."""
    days = (
        select(func.min(cells.c.day), func.max(cells.c.day))
        .select_from(cells.join(streams).join(groups, groups.c.id == cells.c.group_id))
        .where(streams.c.use_case_id == use_case, groups.c.attribute == "", *_limits(cells, question))
    )
    first, last = connection.execute(days).one()
    if first is None:
        return None
    counted = select(func.count()).where(
        groups.c.use_case_id == use_case, groups.c.attribute == (question.attribute or None)
    )
    return Extent(first, last, connection.scalar(counted.select_from(groups)) or 0)


def sums(connection: Connection, use_case: int, question: Question, *, matured: bool) -> Sums:
    """The sums of everybody and of the groups of the attribute."""
    return sums_by_period(connection, use_case, question, (), matured=matured)[0]


def sums_by_period(
    connection: Connection, use_case: int, question: Question, starts: Sequence[date], *, matured: bool
) -> list[Sums]:
    """The sums of each period; `starts` are the first days of all but the first of them."""
    wanted = groups.c.attribute == question.attribute
    if question.group:
        wanted = and_(wanted, groups.c.value == question.group)
    where = (groups.c.use_case_id == use_case, or_(groups.c.attribute == "", wanted))
    if matured:
        question = replace(question, until=ripe_until(question))
    found: list[dict[tuple[str, str], Group]] = [{} for _ in range(len(starts) + 1)]
    counted = _query(cells, question, where, starts)
    for at, attribute, value, *rest in connection.execute(counted):
        found[at][attribute, value] = Group(value, dict(zip(COUNTS, map(float, rest), strict=True)))
    scored = _query(score_cells, question, where, starts)
    for at, attribute, value, number, *rest in connection.execute(scored):
        own = found[at].setdefault((attribute, value), Group(value, {}))
        if 0 <= number < BINS:
            own.scores[number] = np.array(rest, dtype=np.float64)
    return [_sums(one) for one in found]


def _sums(found: dict[tuple[str, str], Group]) -> Sums:
    everybody = found.pop(("", ""), Group("", {}))
    return Sums(everybody, tuple(sorted(found.values(), key=lambda group: group.value)))


def _query(table: Any, question: Question, where: Sequence[Any], starts: Sequence[date]) -> Any:
    """The sums of a table of rollups by period (numbered by the `starts`) and group; of scores by bin too."""
    scored = table is score_cells
    keys = (groups.c.attribute, groups.c.value, *([table.c.bin] if scored else []))
    period: Any = literal_column("0")
    if starts:
        period = case(*((table.c.day < day, at) for at, day in enumerate(starts)), else_=len(starts))
    return (
        select(
            period.label("period"),
            *keys,
            *(func.sum(table.c[name]) for name in (SCORES if scored else COUNTS)),
        )
        .select_from(
            table.join(groups, groups.c.id == table.c.group_id).join(
                streams, streams.c.id == table.c.stream_id
            )
        )
        .where(*where, *_limits(table, question))
        .group_by(*(["period"] if starts else []), *keys)
    )


def ripe_until(question: Question) -> date:
    """The last day whose labels count as known."""
    ripe = utc_now().date() - timedelta(days=question.maturity + 1)
    return ripe if question.until is None else min(question.until, ripe)


def _limits(table: Any, question: Question) -> list[Any]:
    """What a question asks of rows of a table of rollups beside their groups."""
    return [
        compare(column, given)
        for column, compare, given in (
            (streams.c.model, operator.eq, question.model),
            (streams.c.version, operator.eq, question.version),
            (table.c.day, operator.ge, question.since),
            (table.c.day, operator.le, question.until),
        )
        if given
    ]
