"""Storing and counting events: each once, its label whenever that comes; acknowledged after the commit."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError

from evenhand.monitor import chain
from evenhand.monitor.events import Event, Label
from evenhand.monitor.known import Finder, Known
from evenhand.monitor.pseudonyms import pseudonym
from evenhand.monitor.rollups import Growth
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.record_tables import erased
from evenhand.monitor.store.rows import if_new, insert_rows
from evenhand.monitor.store.tables import predictions, streams, subjects, texts, waiting_labels
from evenhand.monitor.tally import Tally

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

_FIELDS = ("score", "decision", "refused", "toxicity", "length")
Id = tuple[int, str]  # use case, prediction id
After = Callable[["Connection", frozenset[int]], None]


@dataclass(frozen=True)
class Outcome(Tally):
    """What became of a batch.

    Attributes:
        accepted: events that are new.
        duplicates: events whose prediction id was there already, or was erased; they are not counted again.
        labels: labels that were joined to their decisions.
        waiting: labels whose decisions have not come yet.
        conflicting: labels that contradict an earlier one, which stays.
    """

    accepted: int = 0
    duplicates: int = 0
    labels: int = 0
    waiting: int = 0
    conflicting: int = 0


_memory: weakref.WeakKeyDictionary[Any, Known] = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def _known(store: Store) -> Known:
    with _guard:
        return _memory.setdefault(store.writer, Known())


def take(
    store: Store,
    events: Sequence[Event],
    *,
    keep_texts: bool = False,
    after: After | None = None,
    now: datetime | None = None,
) -> Outcome:
    """Store and count `events`, all or none; what returns is on the disk.

    `after` is called in the same transaction with the numbers of the versions that have grown. `now` is when
    they came in, by default the time of the machine.

    Raises:
        BadData: a limit of the use case is reached.
        StoreUnavailable, NoSpace: nothing was stored.
    """
    if not events:
        return Outcome()
    return _done(store, lambda batch: batch.events(events, keep_texts), after, now)


def join(
    store: Store, labels: Sequence[Label], *, after: After | None = None, now: datetime | None = None
) -> Outcome:
    """Join `labels` to their decisions, or keep them until those come; all or none. The rest as for `take`.

    Raises:
        StoreUnavailable, NoSpace: nothing was stored.
    """
    if not labels:
        return Outcome()
    return _done(store, lambda batch: batch.labels(labels), after, now)


def _done(
    store: Store, work: Callable[[_Batch], Outcome], after: After | None, now: datetime | None
) -> Outcome:
    known = _known(store)

    def transaction(connection: Connection) -> tuple[Outcome, Known]:
        batch = _Batch(connection, store.secret, known.staged(), now or utc_now())
        outcome = work(batch)
        batch.growth.write(connection, batch.find.known.members)
        batch.grow()
        if after is not None and batch.streams:
            after(connection, frozenset(batch.streams))
        batch.record()
        return outcome, batch.find.known

    try:
        outcome, found = store.write(transaction)
    except IntegrityError:  # what this process remembers is no longer there: ask the database anew
        known.clear()
        outcome, found = store.write(transaction)
    known.adopt(found)
    return outcome


class _Batch:
    """The work of one transaction."""

    def __init__(self, connection: Connection, secret: bytes, known: Known, now: datetime) -> None:
        self.connection, self.secret, self.now = connection, secret, now
        self.find = Finder(connection, known, self.now)
        self.growth = Growth()
        self.streams: set[int] = set()
        self._pseudonyms: dict[Id, bytes] = {}
        self.recorded: dict[str, dict[bytes, dict[str, Any]]] = {chain.EVENTS: {}, chain.LABELS: {}}

    def events(self, events: Sequence[Event], keep_texts: bool) -> Outcome:
        self.find.use_cases(event.use_case for event in events)
        first: dict[Id, Event] = {}
        for event in events:
            first.setdefault(self._id(event), event)
        first = {key: first[key] for key in self._not_erased(first)}
        labels = {
            key: event.label
            for event in events
            if event.label is not None and (key := self._id(event)) in first
        }
        rows = {key: self._row(key, event, labels.get(key)) for key, event in first.items()}
        new = self._inserted([rows[key] for key in sorted(rows)])
        sets = {key: self.find.attributes(key[0], first[key].attributes) for key in rows if key in new}
        for key, attributes in sets.items():
            self.growth.event(rows[key]["stream_id"], attributes, rows[key])
            self.streams.add(rows[key]["stream_id"])
        self._subjects(sets)
        for key, number in sets.items():
            event = first[key]
            item = chain.event_item(
                rows[key], (event.use_case, event.model, event.version), self.find.known.contents[number]
            )
            self.recorded[chain.EVENTS][self._pseudonym(key)] = item
        if keep_texts:
            self._texts({key: first[key] for key in sets})
        waiting = self._waited(sets)
        outcome = self._join({**labels, **{k: v for k, v in waiting.items() if k not in labels}}, rows, sets)
        return outcome + Outcome(accepted=len(new), duplicates=len(events) - len(new))

    def labels(self, labels: Sequence[Label]) -> Outcome:
        self.find.use_cases(label.use_case for label in labels)
        given: dict[Id, Label] = {}
        for label in labels:
            given.setdefault(self._id(label), label)
        return self._join({key: given[key].label for key in self._not_erased(given)}, {}, {})

    def _not_erased(self, keys: Iterable[Id]) -> list[Id]:
        """Those of `keys` that were not erased on request: what was is not stored again."""
        held = list(keys)
        if self.connection.scalar(select(erased.c.pseudonym).limit(1)) is None:
            return held
        names = {self._pseudonym(key): key for key in held}
        gone = self.connection.scalars(select(erased.c.pseudonym).where(erased.c.pseudonym.in_(names)))
        lost = {names[bytes(one)] for one in gone}
        return [key for key in held if key not in lost]

    def _pseudonym(self, key: Id) -> bytes:
        if key not in self._pseudonyms:
            self._pseudonyms[key] = pseudonym(self.secret, *key)
        return self._pseudonyms[key]

    def _id(self, one: Event | Label) -> Id:
        return self.find.known.use_cases[one.use_case], one.prediction_id

    def _row(self, key: Id, event: Event, label: int | None) -> dict[str, Any]:
        return {
            "use_case_id": key[0],
            "prediction_id": key[1],
            "stream_id": self.find.stream(key[0], event.model, event.version),
            "kind": event.kind,
            "time": event.time or self.now,
            "received": self.now,
            "label": label,
            "labelled": None if label is None else self.now,
            **{name: getattr(event, name) for name in _FIELDS},
        }

    def _inserted(self, rows: list[dict[str, Any]]) -> set[Id]:
        """The ids of those of `rows` that were not there; they are there afterwards."""
        if not rows:
            return set()
        made = insert_rows(self.connection, predictions, rows, _named)
        return {(row.use_case_id, row.prediction_id) for row in made}

    def _subjects(self, sets: Mapping[Id, int]) -> None:
        if sets:
            rows: list[dict[str, Any]] = [
                {"pseudonym": self._pseudonym(key), "attribute_set_id": number}
                for key, number in sets.items()
            ]
            insert_rows(self.connection, subjects, sorted(rows, key=lambda row: row["pseudonym"]))

    def _texts(self, events: Mapping[Id, Event]) -> None:
        rows = [
            {"pseudonym": self._pseudonym(key), "prompt": event.prompt, "answer": event.answer}
            for key, event in events.items()
            if event.prompt is not None or event.answer is not None
        ]
        if rows:
            insert_rows(self.connection, texts, rows)

    def _waited(self, keys: Iterable[Id]) -> dict[Id, int]:
        """The labels that came before these predictions; they wait no longer."""
        found: dict[Id, int] = {}
        for use_case, names in _by_use_case(keys).items():
            own = waiting_labels.c.use_case_id == use_case
            if self.connection.scalar(select(waiting_labels.c.label).where(own).limit(1)) is None:
                continue  # as almost always: no list of names has to be sent
            mine = own, waiting_labels.c.prediction_id.in_(names)
            rows = self.connection.execute(
                select(waiting_labels.c.prediction_id, waiting_labels.c.label).where(*mine)
            ).all()
            if rows:
                self.connection.execute(delete(waiting_labels).where(*mine))
            found.update({(use_case, name): label for name, label in rows})
        return found

    def _join(
        self, labels: Mapping[Id, int], rows: Mapping[Id, Mapping[str, Any]], sets: Mapping[Id, int]
    ) -> Outcome:
        """Give predictions their labels; `rows` and `sets` are those that this transaction has made."""
        if not labels:
            return Outcome()
        there: dict[Id, Mapping[str, Any]] = {key: rows[key] for key in labels if key in sets}
        older = self._stored([key for key in labels if key not in sets])
        conflicting = sum(
            row["label"] not in (None, labels[key]) or row["kind"] != "decision" for key, row in older.items()
        )
        open_ = {key: row for key, row in older.items() if row["label"] is None and row["kind"] == "decision"}
        of_older = self._sets_of(open_)
        there |= open_
        for key, row in there.items():
            self.growth.label(row["stream_id"], sets.get(key) or of_older[key], row, labels[key])
            self.streams.add(row["stream_id"])
        self._record_labels({key: labels[key] for key in there})
        self._set_labels({key: labels[key] for key, row in there.items() if row["label"] is None})
        missing = {key: label for key, label in labels.items() if key not in there and key not in older}
        self._wait(missing)
        return Outcome(labels=len(there), waiting=len(missing), conflicting=conflicting)

    def _stored(self, keys: Iterable[Id]) -> dict[Id, Mapping[str, Any]]:
        found: dict[Id, Mapping[str, Any]] = {}
        for use_case, names in _by_use_case(keys).items():
            query = (
                select(predictions)
                .where(predictions.c.use_case_id == use_case, predictions.c.prediction_id.in_(names))
                .order_by(predictions.c.id)
                .with_for_update()
            )
            for row in self.connection.execute(query).mappings():
                found[use_case, row["prediction_id"]] = dict(row)
        return found

    def _sets_of(self, keys: Iterable[Id]) -> dict[Id, int]:
        """The numbers of the sets of attributes of stored predictions; of an erased person the empty one."""
        names = {self._pseudonym(key): key for key in keys}
        if not names:
            return {}
        rows = self.connection.execute(
            select(subjects.c.pseudonym, subjects.c.attribute_set_id).where(subjects.c.pseudonym.in_(names))
        )
        found = {names[bytes(own)]: number for own, number in rows}
        for key in names.values():
            if key in found:
                self.find.members(key[0], found[key])
            else:
                found[key] = self.find.attributes(key[0], {})
        return found

    def grow(self) -> None:
        """Note when something came in last of each version: `watching` waits until it is quiet."""
        if self.streams:
            grown = update(streams).where(streams.c.id.in_(sorted(self.streams)))
            self.connection.execute(grown.values(grown=self.now))

    def record(self) -> None:
        """Enter what was stored into the chain, last in the transaction: others wait for that."""
        for kind, items in self.recorded.items():
            chain.record(self.connection, kind, items)

    def _record_labels(self, labels: Mapping[Id, int]) -> None:
        names = {number: name for name, number in self.find.known.use_cases.items()}
        for key, label in labels.items():
            item = chain.label_item(names[key[0]], key[1], label)
            self.recorded[chain.LABELS][self._pseudonym(key)] = item

    def _set_labels(self, labels: Mapping[Id, int]) -> None:
        if labels:
            self.connection.execute(
                update(predictions)
                .where(
                    predictions.c.use_case_id == bindparam("own_case"),
                    predictions.c.prediction_id == bindparam("own_id"),
                )
                .values(label=bindparam("own_label"), labelled=bindparam("own_time")),
                [
                    {"own_case": key[0], "own_id": key[1], "own_label": label, "own_time": self.now}
                    for key, label in sorted(labels.items())
                ],
            )

    def _wait(self, labels: Mapping[Id, int]) -> None:
        if labels:
            rows = [
                {"use_case_id": key[0], "prediction_id": key[1], "label": label, "time": self.now}
                for key, label in sorted(labels.items())
            ]
            insert_rows(self.connection, waiting_labels, rows, if_new)


def _named(made: Any) -> Any:
    """The insertion of predictions, which gives the ids of the new ones."""
    return if_new(made).returning(predictions.c.use_case_id, predictions.c.prediction_id)


def _by_use_case(keys: Iterable[Id]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for use_case, name in keys:
        found.setdefault(use_case, []).append(name)
    return found
