"""Retention: what is older than the policy keeps it goes, except what is held; counts stay.

It works use case by use case, in short transactions, so that events come in meanwhile. What went is in the
chain. How far texts and attributes are worked off is remembered (`meta`), so that no day reads everything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from evenhand.errors import EvenhandError
from evenhand.monitor import chain
from evenhand.monitor.erasing import Gone, delete_rows
from evenhand.monitor.holding import MARK, Held, held
from evenhand.monitor.known import lock
from evenhand.monitor.policy import Retention
from evenhand.monitor.pseudonyms import pseudonym
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.record_tables import reports
from evenhand.monitor.store.tables import meta, predictions, subjects, texts, use_cases, waiting_labels
from evenhand.monitor.tally import Tally

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

ROWS = 1000  # of a transaction
DAY = timedelta(hours=24)
RAN = "retention ran"  # when, in `meta`
CLOSED = ("rejected", "fixed")  # states of reports whose texts are needed no more
BY = "the policy's retention"


@dataclass(frozen=True)
class Run(Tally):
    """What a run deleted, and how many use cases were left alone because they are held."""

    predictions: int = 0
    attributes: int = 0
    texts: int = 0
    waiting_labels: int = 0
    reports: int = 0
    held_use_cases: int = 0


class _Undone(Exception):
    """Takes a transaction back whose counts are wanted only."""

    def __init__(self, found: tuple[int, Run]) -> None:
        super().__init__()
        self.found = found


def run(store: Store, kept: Retention, *, now: datetime | None = None, dry: bool = False) -> Run:
    """Delete what is too old, and count it; with `dry` only count.

    Raises:
        StoreUnavailable: the database does not answer; what was deleted before stays so.
    """
    time, total = now or utc_now(), Run()
    with store.reading() as connection:
        cases = [
            (number, name) for number, name in connection.execute(select(use_cases.c.id, use_cases.c.name))
        ]
    for number, name in cases:
        with store.reading() as connection:
            whole = held(connection, number).whole
        if whole:
            total += Run(held_use_cases=1)
            continue
        total += _Case(store, kept, time, number, name, dry).run()
    if not dry:
        store.settle()
    return total


def daily(store: Store, kept: Retention, *, now: datetime | None = None) -> Run | None:
    """Run, unless a service on this database did within a day; None then."""
    time = now or utc_now()
    if not any(days is not None for days in kept.model_dump().values()):
        return None

    def claimed(connection: Connection) -> bool:
        last = connection.scalar(select(meta.c.value).where(meta.c.name == RAN).with_for_update())
        if last is not None and timedelta(0) <= time - datetime.fromisoformat(last) < DAY:
            return False
        connection.execute(delete(meta).where(meta.c.name == RAN))
        connection.execute(insert(meta).values(name=RAN, value=time.isoformat()))
        return True

    if not store.write(claimed):
        return None
    try:
        return run(store, kept, now=time)
    except EvenhandError:
        with contextlib.suppress(EvenhandError):  # the next turn begins again, if the database takes that
            store.write(lambda connection: connection.execute(delete(meta).where(meta.c.name == RAN)))
        raise


@dataclass
class _Case:
    """The run of one use case."""

    store: Store
    kept: Retention
    now: datetime
    number: int
    name: str
    dry: bool

    def run(self) -> Run:
        """Everything of this use case."""
        total = Run()
        for days, work in (
            (self.kept.events_days, self._events),
            (self.kept.pseudonyms_days, self._attributes),
            (self.kept.texts_days, self._texts),
        ):
            if days is not None:
                total += self._all(work, self.now - timedelta(days=days))
        if self.kept.events_days is not None:
            total += self._once(self._waiting, self.now - timedelta(days=self.kept.events_days))
        if self.kept.texts_days is not None:
            total += self._once(self._reports, self.now - timedelta(days=self.kept.texts_days))
        return total

    def _all(self, work: Callable[[Connection, Held, dict[bytes, str]], Run], until: datetime) -> Run:
        """`work` on all predictions that came in before `until` and are not held, from where it had come."""
        # What only would be deleted is still there for the work after it, and is not counted again.
        again = self.dry and self.kept.events_days is not None and work != self._events
        since = self.now - timedelta(days=self.kept.events_days or 0) if again else None
        name, total = f"{MARK} {self.number}:{work.__name__}", Run()
        with self.store.reading() as connection:
            last = int(connection.scalar(select(meta.c.value).where(meta.c.name == name)) or 0)
        while True:

            def part(connection: Connection, last: int = last) -> tuple[int, Run]:
                lock(connection, self.number)
                now = held(connection, self.number)
                rows = [] if now.whole else self._rows(connection, last, until, since)
                if not rows:
                    return 0, Run()
                names = {pseudonym(self.store.secret, self.number, one): one for _, one in rows}
                found = work(connection, now, {k: one for k, one in names.items() if k not in now.persons})
                _mark(connection, name, rows[-1][0])
                return self._given((rows[-1][0], found))

            reached, found = self._written(part)
            total += found
            if not reached:
                return total
            last = reached

    def _rows(
        self, connection: Connection, last: int, until: datetime, since: datetime | None
    ) -> list[tuple[int, str]]:
        """Numbers and ids of the next 1000 predictions; numbers rise with the time when they came in."""
        columns = predictions.c.id, predictions.c.prediction_id, predictions.c.received
        query = (
            select(*columns)
            .where(predictions.c.use_case_id == self.number, predictions.c.id > last)
            .order_by(predictions.c.id)
            .limit(ROWS)
        )
        if since is not None:
            query = query.where(predictions.c.received >= since)
        found = []
        for number, name, received in connection.execute(query):
            if received >= until:
                break
            found.append((number, name))
        return found

    def _events(self, connection: Connection, _: Held, names: dict[bytes, str]) -> Run:
        gone = delete_rows(connection, self.number, names)
        self._record(connection, list(names), gone)
        return Run(**asdict(gone))

    def _attributes(self, connection: Connection, _: Held, names: dict[bytes, str]) -> Run:
        mine = list(connection.scalars(select(subjects.c.pseudonym).where(subjects.c.pseudonym.in_(names))))
        connection.execute(delete(subjects).where(subjects.c.pseudonym.in_(mine)))
        self._record(connection, [bytes(one) for one in mine], Gone())
        return Run(attributes=len(mine))

    def _texts(self, connection: Connection, _: Held, names: dict[bytes, str]) -> Run:
        count = connection.execute(delete(texts).where(texts.c.pseudonym.in_(names))).rowcount
        self._record(connection, [], Gone(texts=count))
        return Run(texts=count)

    def _record(self, connection: Connection, names: Sequence[bytes], gone: Gone) -> None:
        also = {"texts": gone.texts, "waiting labels": gone.waiting_labels}
        chain.forget(connection, names, why="retention", by=BY, use_case=self.name, also=also)

    def _once(self, work: Callable[[Connection, Held, datetime], Run], until: datetime) -> Run:
        def whole(connection: Connection) -> tuple[int, Run]:
            lock(connection, self.number)
            now = held(connection, self.number)
            return self._given((0, Run() if now.whole else work(connection, now, until)))

        return self._written(whole)[1]

    def _waiting(self, connection: Connection, now: Held, until: datetime) -> Run:
        """Labels whose decisions never came."""
        mine = waiting_labels.c.use_case_id == self.number
        names = connection.scalars(
            select(waiting_labels.c.prediction_id).where(mine, waiting_labels.c.time < until)
        )
        old = [one for one in names if pseudonym(self.store.secret, self.number, one) not in now.persons]
        for part in range(0, len(old), ROWS):
            own = waiting_labels.c.prediction_id.in_(old[part : part + ROWS])
            connection.execute(delete(waiting_labels).where(mine, own))
        self._record(connection, [], Gone(waiting_labels=len(old)))
        return Run(waiting_labels=len(old))

    def _reports(self, connection: Connection, _: Held, until: datetime) -> Run:
        """Texts of reports that are closed; the reports, their states and notes stay."""
        mine = (
            reports.c.use_case_id == self.number,
            reports.c.state.in_(CLOSED),
            reports.c.changed < until,
            func.length(reports.c.why) > 0,
        )
        gone: dict[str, Any] = {"prompt": None, "answer": None, "why": ""}
        count = connection.execute(update(reports).where(*mine).values(**gone)).rowcount
        also = {"texts of reports": count}
        chain.forget(connection, [], why="retention", by=BY, use_case=self.name, also=also)
        return Run(reports=count)

    def _given(self, found: tuple[int, Run]) -> tuple[int, Run]:
        if self.dry:
            raise _Undone(found)
        return found

    def _written(self, work: Callable[[Connection], tuple[int, Run]]) -> tuple[int, Run]:
        try:
            return self.store.write(work)
        except _Undone as undone:
            return undone.found


def _mark(connection: Connection, name: str, number: int) -> None:
    connection.execute(delete(meta).where(meta.c.name == name))
    connection.execute(insert(meta).values(name=name, value=str(number)))
