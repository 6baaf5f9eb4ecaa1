"""Sums of rollups for a question, and the figures of all indicators."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, or_, select

from evenhand.errors import UnknownName
from evenhand.monitor.indicators import INDICATORS, Figure, Group, Sums
from evenhand.monitor.roles import NotThere, Principal
from evenhand.monitor.rollups import BINS, COUNTS, SCORES
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.tables import cells, groups, score_cells, streams, use_cases

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store


@dataclass(frozen=True)
class Question:
    """Which figures are wanted.

    Attributes:
        use_case: the use case.
        model, version: of these only; empty for all.
        attribute: by which the groups are made, such as ``sex`` or ``race*sex``; empty for everybody alone.
        since, until: the days (UTC), both included; None for all.
        maturity: days until a label counts as known; younger days are left out where labels matter.
    """

    use_case: str
    model: str = ""
    version: str = ""
    attribute: str = ""
    since: date | None = None
    until: date | None = None
    maturity: int = 0


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
        number = connection.scalar(select(use_cases.c.id).where(use_cases.c.name == question.use_case))
        if number is None:
            raise NotThere(
                f"Nothing has come in for the use case {question.use_case!r}.",
                mend="Send events with this use_case, or name another.",
            )
        all_days = sums(connection, number, question, matured=False)
        ripe = all_days
        if question.maturity and any(INDICATORS[name].matured for name in wanted):
            ripe = sums(connection, number, question, matured=True)
    return [
        one for name in wanted for one in INDICATORS[name].of(ripe if INDICATORS[name].matured else all_days)
    ]


def sums(connection: Connection, use_case: int, question: Question, *, matured: bool) -> Sums:
    """The sums of everybody and of the groups of the attribute."""
    wanted = [groups.c.use_case_id == use_case]
    wanted.append(or_(groups.c.attribute == "", groups.c.attribute == question.attribute))
    counted = _query(cells, COUNTS, question, wanted, matured)
    found = {
        (attribute, value): Group(value, dict(zip(COUNTS, map(float, rest), strict=True)))
        for attribute, value, *rest in connection.execute(counted)
    }
    for attribute, value, number, *rest in connection.execute(
        _query(score_cells, SCORES, question, wanted, matured, score_cells.c.bin)
    ):
        if (attribute, value) not in found:
            found[attribute, value] = Group(value, {})
        if 0 <= number < BINS:
            found[attribute, value].scores[number] = np.array(rest, dtype=np.float64)
    everybody = found.pop(("", ""), Group("", {}))
    own = sorted(found.values(), key=lambda group: group.value)
    return Sums(everybody, tuple(own))


def _query(
    table: Any, names: Sequence[str], question: Question, wanted: Sequence[Any], matured: bool, *more: Any
) -> Any:
    keys = (groups.c.attribute, groups.c.value, *more)
    query = (
        select(*keys, *(func.sum(table.c[name]) for name in names))
        .select_from(
            table.join(groups, groups.c.id == table.c.group_id).join(
                streams, streams.c.id == table.c.stream_id
            )
        )
        .where(*wanted)
        .group_by(*keys)
    )
    until = question.until
    if matured:
        ripe = utc_now().date() - timedelta(days=question.maturity + 1)
        until = ripe if until is None else min(until, ripe)
    for column, compare, given in (
        (streams.c.model, operator.eq, question.model),
        (streams.c.version, operator.eq, question.version),
        (table.c.day, operator.ge, question.since),
        (table.c.day, operator.le, until),
    ):
        if given:
            query = query.where(compare(column, given))
    return query
