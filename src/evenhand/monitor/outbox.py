"""Messages that wait to be sent: written in the transaction of the change that they tell of.

A message is sent by one service at a time (`claim`), and again after a failure, later each time, for a day.
Sending is repeated where a process dies between sending and noting it; the receiver knows the second one by
its key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import func, select, update

from evenhand.errors import UnknownName
from evenhand.monitor.changes import Message
from evenhand.monitor.policy import shown
from evenhand.monitor.roles import Principal
from evenhand.monitor.store.record_tables import messages
from evenhand.monitor.store.rows import insertion

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

Standing = Literal["waiting", "sent", "failed"]
LEASE = timedelta(minutes=5)  # another service may try again after it: longer than any sending
FIRST, MOST = 30.0, 3600.0  # seconds between two tries
GIVE_UP = timedelta(hours=24)  # after the change
SHOWN = 50  # messages of a list


@dataclass(frozen=True)
class Waiting:
    """A message as it is stored; `receiver` is whole, so it is not for pages."""

    id: int
    key: str
    change: str
    receiver: str
    content: dict[str, Any]
    tries: int
    created: datetime
    due: datetime


@dataclass(frozen=True)
class Row:
    """A message for lists: of a webhook only its site is shown."""

    id: int
    standing: Standing
    change: str
    use_case: str
    receiver: str
    created: datetime
    sent: datetime | None
    tries: int
    problem: str | None


def put(connection: Connection, given: Sequence[Message], now: datetime) -> None:
    """Keep these messages to be sent; what was kept under the same key stays as it is."""
    rows = [
        {
            "key": one.key,
            "change": one.change,
            "use_case": one.content["use_case"],
            "receiver": one.receiver,
            "content": json.dumps(one.content, ensure_ascii=False),
            "standing": "waiting",
            "created": now,
            "due": now,
            "tries": 0,
        }
        for one in given
    ]
    if rows:
        made = insertion(connection, messages).on_conflict_do_nothing(index_elements=["key"])
        connection.execute(made, rows)


def due(store: Store, now: datetime) -> list[Waiting]:
    """The messages whose time has come, the oldest first; 100 at most."""
    names = ("id", "key", "change", "receiver", "content", "tries", "created", "due")
    query = (
        select(*(messages.c[name] for name in names))
        .where(messages.c.standing == "waiting", messages.c.due <= now)
        .order_by(messages.c.due, messages.c.id)
        .limit(100)
    )
    with store.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return [Waiting(**{**row, "content": json.loads(row["content"])}) for row in rows]


def claim(store: Store, one: Waiting, now: datetime) -> bool:
    """Whether this service may send it now: another one that found it too finds another time in the row."""
    own = update(messages).where(
        messages.c.id == one.id, messages.c.due == one.due, messages.c.standing == "waiting"
    )
    values = {"due": now + LEASE, "tries": one.tries + 1}
    return bool(store.write(lambda connection: connection.execute(own.values(**values)).rowcount))


def note(store: Store, one: Waiting, problem: str | None, now: datetime) -> None:
    """Keep what became of a message that was claimed: sent, or why not, and when it is tried again."""
    if problem is None:
        values: dict[str, Any] = {"standing": "sent", "sent": now, "problem": None}
    elif now - one.created >= GIVE_UP:
        values = {"standing": "failed", "problem": problem}
    else:
        values = {"due": now + wait(one.tries), "problem": problem}
    own = update(messages).where(messages.c.id == one.id, messages.c.standing == "waiting")
    store.write(lambda connection: connection.execute(own.values(**values)))


def wait(tries: int) -> timedelta:
    """How long after a failure, of which there were `tries` before: 30 s, then twice as long, 1 h at most."""
    return timedelta(seconds=min(FIRST * 2.0 ** min(tries, 20), MOST))


def counts(connection: Connection) -> dict[str, int]:
    """How many messages are waiting, sent and failed, and how many of the waiting have failed before."""
    own = select(messages.c.standing, func.count()).group_by(messages.c.standing)
    found = {"waiting": 0, "sent": 0, "failed": 0}
    found |= {str(name): int(n) for name, n in connection.execute(own)}
    again = select(func.count()).where(messages.c.standing == "waiting", messages.c.problem.is_not(None))
    return {**found, "tried again": connection.scalar(again) or 0}


def listed(store: Store, who: Principal, *, problems: bool = False) -> list[Row]:
    """The newest 50 that `who` sees; with `problems` only those that could not be sent."""
    names = ("id", "standing", "change", "use_case", "receiver", "created", "sent", "tries", "problem")
    query = select(*(messages.c[name] for name in names)).order_by(messages.c.id.desc()).limit(SHOWN)
    if problems:
        query = query.where(messages.c.problem.is_not(None))
    if who.use_cases is not None:
        query = query.where(messages.c.use_case.in_(who.use_cases))
    with store.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return [Row(**{**row, "receiver": shown(row["receiver"])}) for row in rows]


def retry(store: Store, number: int, now: datetime) -> None:
    """Send the message `number`, which failed, from now on again for a day.

    Raises:
        UnknownName: there is none that failed.
    """
    failed = messages.c.standing == "failed"
    own = update(messages).where(messages.c.id == number, failed)
    values = {"standing": "waiting", "created": now, "due": now, "tries": 0}

    def work(connection: Connection) -> None:
        if not connection.execute(own.values(**values)).rowcount:
            known = connection.scalars(select(messages.c.id).where(failed).limit(20))
            raise UnknownName("failed message", str(number), map(str, known))

    store.write(work)
