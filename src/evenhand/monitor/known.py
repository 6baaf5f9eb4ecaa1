"""Numbers of use cases, versions, groups and sets of attributes: found or made, remembered after commit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text

from evenhand.errors import BadData
from evenhand.monitor.events import CROSS
from evenhand.monitor.store.rows import if_new, insertion
from evenhand.monitor.store.tables import attribute_sets, groups, streams, use_cases

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

VALUES = 50  # of an attribute; later ones are "(other)"
NAMES = 24  # attributes of a use case
GROUPS = 5000  # of a use case
VERSIONS = 2000  # of a use case
OTHER = "(other)"
_LOCK = 5_046_213


class Known:
    """The numbers that a process remembers: nothing is ever renumbered."""

    def __init__(self) -> None:
        self.use_cases: dict[str, int] = {}
        self.streams: dict[tuple[int, str, str], int] = {}
        self.groups: dict[tuple[int, str, str], int] = {}
        self.sets: dict[tuple[int, str], int] = {}
        self.members: dict[int, tuple[int, ...]] = {}
        self.contents: dict[int, dict[str, str]] = {}

    def staged(self) -> Known:
        """A copy to work with in a transaction."""
        own = Known()
        for name, held in vars(self).items():
            getattr(own, name).update(held)
        return own

    def adopt(self, other: Known) -> None:
        """Take over what a committed transaction has found."""
        for name, held in vars(other).items():
            getattr(self, name).update(held)

    def clear(self) -> None:
        """Forget everything."""
        for held in vars(self).values():
            held.clear()


class Finder:
    """Finds and makes numbers in one transaction."""

    def __init__(self, connection: Connection, known: Known, now: datetime) -> None:
        self._connection, self.known, self._now = connection, known, now

    def use_cases(self, names: Iterable[str]) -> None:
        """Find or make these, and hold each one's lock until the transaction ends."""
        for name in sorted(set(names)):
            number = self.known.use_cases.get(name)
            if number is None:
                number = self._number(use_cases, {"name": name}, created=self._now)
                self.known.use_cases[name] = number
            lock(self._connection, number)  # a label and its decision must not miss each other

    def stream(self, use_case: int, model: str, version: str) -> int:
        """The number of a version.

        Raises:
            BadData: the use case has 2000 versions already.
        """
        key = use_case, model, version
        if key not in self.known.streams:
            row = {"use_case_id": use_case, "model": model, "version": version}
            if self._count(streams, use_case) >= VERSIONS and not self._find(streams, row):
                raise BadData(
                    f"A use case has at most {VERSIONS} versions of models.",
                    mend="Send the release as the version, not an id of each request.",
                )
            self.known.streams[key] = self._number(streams, row, created=self._now)
        return self.known.streams[key]

    def attributes(self, use_case: int, given: Mapping[str, str | None]) -> int:
        """The number of a set of attributes; its groups are in `known.members`.

        Raises:
            BadData: the use case would have more than 24 attributes.
        """
        own = {name: value for name, value in sorted(given.items()) if value is not None}
        content = json.dumps(own, ensure_ascii=False)
        key = use_case, content
        if key not in self.known.sets:
            own = {name: self._value(use_case, name, value) for name, value in own.items()}
            stored = {"use_case_id": use_case, "content": json.dumps(own, ensure_ascii=False)}
            number = self._number(attribute_sets, stored)
            self.known.members[number] = self._members(use_case, own)
            self.known.contents[number] = own
            self.known.sets[key] = number
        return self.known.sets[key]

    def members(self, use_case: int, number: int) -> None:
        """Make sure that `known.members` has the groups of the set of this number."""
        if number not in self.known.members:
            content = self._connection.scalar(
                select(attribute_sets.c.content).where(attribute_sets.c.id == number)
            )
            self.known.members[number] = self._members(use_case, json.loads(content or "{}"))

    def _members(self, use_case: int, own: Mapping[str, str]) -> tuple[int, ...]:
        found = [self._group(use_case, "", "")]
        found += [self._group(use_case, name, value) for name, value in own.items()]
        for first, second in combinations(own, 2):
            value = crossed(own[first], own[second])
            found.append(self._group(use_case, first + CROSS + second, value))
        return tuple(dict.fromkeys(found))

    def _value(self, use_case: int, name: str, value: str) -> str:
        """`value`, or "(other)" where the attribute has too many; its group exists afterwards."""
        if (use_case, name, value) in self.known.groups:
            return value
        held = set(
            self._connection.scalars(
                select(groups.c.value).where(groups.c.use_case_id == use_case, groups.c.attribute == name)
            )
        )
        if not held:
            self._check_attributes(use_case)
        counted = value if value in held or len(held) < VALUES else OTHER
        self._group(use_case, name, counted)
        return counted

    def _check_attributes(self, use_case: int) -> None:
        count = self._connection.scalar(
            select(func.count(groups.c.attribute.distinct())).where(
                groups.c.use_case_id == use_case,
                groups.c.attribute != "",
                groups.c.attribute.not_like(f"%{CROSS}%"),
            )
        )
        if (count or 0) >= NAMES:
            raise BadData(
                f"A use case has at most {NAMES} attributes.",
                mend="Send each attribute under one name, and its value as the value.",
            )

    def _group(self, use_case: int, attribute: str, value: str) -> int:
        key = use_case, attribute, value
        if key not in self.known.groups:
            row = {"use_case_id": use_case, "attribute": attribute, "value": value}
            if CROSS in attribute and self._count(groups, use_case) >= GROUPS and not self._find(groups, row):
                row["value"] = OTHER
            self.known.groups[key] = self._number(groups, row)
        return self.known.groups[key]

    def _count(self, table: Table, use_case: int) -> int:
        query = select(func.count()).select_from(table).where(table.c.use_case_id == use_case)
        return self._connection.scalar(query) or 0

    def _find(self, table: Table, row: Mapping[str, Any]) -> int | None:
        return self._connection.scalar(
            select(table.c.id).where(*(table.c[name] == value for name, value in row.items()))
        )

    def _number(self, table: Table, row: Mapping[str, Any], **more: Any) -> int:
        """The number of the row, made with `more` where it does not exist."""
        number = self._find(table, row)
        if number is None:
            made = if_new(insertion(self._connection, table))
            self._connection.execute(made.values(**row, **more))
            number = self._find(table, row)
        assert number is not None
        return number


def lock(connection: Connection, use_case: int) -> None:
    """Hold the lock of a use case until the transaction ends; SQLite has one writer anyhow."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("select pg_advisory_xact_lock(:lock, :number)"), {"lock": _LOCK, "number": use_case}
        )


def crossed(first: str, second: str) -> str:
    """The value of an intersection."""
    return CROSS.join(value.replace("\\", "\\\\").replace(CROSS, f"\\{CROSS}") for value in (first, second))


def uncrossed(value: str) -> list[str]:
    """The values that `crossed` has put together."""
    found: list[str] = []
    own, escaped = "", False
    for sign in value:
        if escaped or sign not in ("\\", CROSS):
            own, escaped = own + sign, False
        elif sign == CROSS:
            found, own = [*found, own], ""
        else:
            escaped = True
    return [*found, own]
