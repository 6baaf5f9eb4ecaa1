"""Legal holds: what retention and erasure leave alone, a whole use case or one person of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from evenhand.errors import UnknownName, UsageError
from evenhand.monitor import chain
from evenhand.monitor.known import lock
from evenhand.monitor.pseudonyms import pseudonym
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.record_tables import holds
from evenhand.monitor.store.tables import meta, predictions, use_cases, waiting_labels

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.roles import Principal
    from evenhand.monitor.store import Store

KIND = "hold"
MARK = "retention of"  # how far retention has come, in `meta`; a hold that ends sends it back


@dataclass(frozen=True)
class Hold:
    """A hold; of a person it is only said that it is one."""

    id: int
    use_case: str
    person: bool
    why: str
    by: str
    created: datetime
    removed: datetime | None
    removed_by: str | None


@dataclass(frozen=True)
class Held:
    """What is held of one use case now: everything (`whole`), or some persons."""

    whole: bool
    persons: frozenset[bytes]


def add(store: Store, use_case: str, *, prediction_id: str = "", why: str, by: str) -> int:
    """Hold a use case, or the person of one prediction of it, from now on; the number of the hold.

    Raises:
        UnknownName: there is no such use case.
        UsageError: there is no such prediction, or no reason.
    """
    _check(why)

    def work(connection: Connection) -> int:
        number = number_of(connection, use_case)
        lock(connection, number)
        own = None
        if prediction_id:
            own = pseudonym(store.secret, number, prediction_id)
            if not stored(connection, number, [prediction_id]):
                raise UsageError(
                    f"Nothing is stored of the prediction {prediction_id[:200]!r} in {use_case!r}.",
                    mend="Give the prediction id that was sent, or hold the whole use case.",
                )
        row = {"use_case_id": number, "pseudonym": own, "why": why, "by": by, "created": utc_now()}
        made = connection.execute(insert(holds).values(**row)).inserted_primary_key
        assert made is not None
        said = {"hold": int(made[0]), "person": own is not None, "why": why, "by": by}
        chain.append(connection, KIND, said, use_case=use_case)
        return int(made[0])

    return store.write(work)


def listed(store: Store, who: Principal, *, removed: bool = False) -> list[Hold]:
    """The holds that `who` sees, the newest first; with `removed` those that have ended as well."""
    names = ("why", "by", "created", "removed", "removed_by")
    query = (
        select(holds.c.id, use_cases.c.name, holds.c.pseudonym, *(holds.c[name] for name in names))
        .join(use_cases, use_cases.c.id == holds.c.use_case_id)
        .order_by(holds.c.id.desc())
    )
    if not removed:
        query = query.where(holds.c.removed.is_(None))
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return [Hold(row[0], row[1], row[2] is not None, *row[3:]) for row in rows if who.sees(row[1])]


def remove(store: Store, who: Principal, number: int, *, why: str) -> None:
    """End the hold `number`: retention and erasure concern what it held again.

    Raises:
        UnknownName: there is no such hold that `who` sees and that has not ended.
        UsageError: there is no reason.
    """
    _check(why)

    def work(connection: Connection) -> None:
        open_ = (
            select(holds.c.id, holds.c.use_case_id, use_cases.c.name)
            .join(use_cases)
            .where(holds.c.removed.is_(None))
        )
        rows = [row for row in connection.execute(open_) if who.sees(row.name)]
        mine = next((row for row in rows if row.id == number), None)
        if mine is None:
            raise UnknownName("hold", str(number), [str(row.id) for row in rows])
        lock(connection, mine.use_case_id)
        values = {"removed": utc_now(), "removed_by": who.name}
        connection.execute(update(holds).where(holds.c.id == number).values(**values))
        connection.execute(delete(meta).where(meta.c.name.like(f"{MARK} {mine.use_case_id}:%")))
        said = {"hold": number, "removed": True, "why": why, "by": who.name}
        chain.append(connection, KIND, said, use_case=mine.name)

    store.write(work)


def held(connection: Connection, use_case: int) -> Held:
    """What is held of the use case of this number; call it under its lock."""
    query = select(holds.c.pseudonym).where(holds.c.use_case_id == use_case, holds.c.removed.is_(None))
    found = list(connection.scalars(query))
    return Held(None in found, frozenset(bytes(one) for one in found if one is not None))


def stored(connection: Connection, use_case: int, prediction_ids: Collection[str]) -> set[str]:
    """Those ids under which something is stored: a prediction, or a label that waits for one."""
    return {
        one
        for table in (predictions, waiting_labels)
        for one in connection.scalars(
            select(table.c.prediction_id).where(
                table.c.use_case_id == use_case, table.c.prediction_id.in_(prediction_ids)
            )
        )
    }


def number_of(connection: Connection, use_case: str) -> int:
    """The number of a use case.

    Raises:
        UnknownName: there is none of this name.
    """
    number = connection.scalar(select(use_cases.c.id).where(use_cases.c.name == use_case))
    if number is None:
        raise UnknownName("use case", use_case, connection.scalars(select(use_cases.c.name)))
    return int(number)


def _check(why: str) -> None:
    if not why.strip():
        raise UsageError("There is no reason.", mend="Say why, without the name of a person: it is kept.")
