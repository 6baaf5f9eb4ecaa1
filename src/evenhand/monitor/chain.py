"""The chain: what happened, in order, each entry bound to the one before by SHA-256.

`append` writes one entry in the transaction of what it records. A batch of events or labels is one entry
(`record`), whose content lists the salted digest of each. What is erased loses its salt and its content; its
digest stays, so that the chain holds, and an entry ``erasure`` says how much went and why: what is missing
without one is found by `check`.

The rules of hashing are those of `evenhand.monitor.verifier`, which outsiders run.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, delete, insert, select, text, update

from evenhand.monitor.pseudonyms import pseudonym
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.record_tables import KIND, chain, chain_items
from evenhand.monitor.store.rows import insert_rows
from evenhand.monitor.store.tables import attribute_sets, predictions, streams, subjects, use_cases
from evenhand.monitor.verifier import FIRST, ITEMS, canonical, chain_faults, content_digest, head_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

EVENTS, LABELS, ERASURE, ACCESS = "events", "labels", "erasure", "access"
FIELDS = ("prediction_id", "kind", "score", "decision", "refused", "toxicity", "length")
SALT = 16
ROWS = 1000  # of a query
_LOCK = 5_046_214  # of PostgreSQL: one writer of the chain until its transaction ends
_TIMES = "%Y-%m-%dT%H:%M:%S.%fZ"


def stamp(time: datetime) -> str:
    """A time (UTC) as it is hashed."""
    return time.strftime(_TIMES)


def append(
    connection: Connection,
    kind: str,
    content: Mapping[str, Any] | Sequence[str],
    *,
    use_case: str | None = None,
) -> str:
    """Add an entry and return the new head as ``NUMBER:HEAD``; call it last in a transaction.

    On PostgreSQL others that append wait until the transaction ends.

    Raises:
        ValueError: `content` holds not-a-number.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    last = connection.execute(
        select(chain.c.number, chain.c.head).order_by(chain.c.number.desc()).limit(1)
    ).first()
    number, previous = (1, FIRST) if last is None else (last.number + 1, last.head)
    salt, body, now = secrets.token_bytes(SALT), canonical(content), utc_now()
    entry = {
        "number": number,
        "time": stamp(now),
        "kind": kind,
        "use_case": use_case,
        "digest": content_digest(salt, body),
        "previous": previous,
    }
    head = head_of(entry)
    row = {**entry, "time": now, "salt": salt, "content": body.decode(), "head": head}
    connection.execute(insert(chain).values(**row))
    return f"{number}:{head}"


def configure(connection: Connection, name: str, content: Mapping[str, Any]) -> None:
    """Add an entry about the configuration `name`, unless it is as the newest entry about it says."""
    kind = _kind_of(name)
    if connection.scalar(newest_of(kind)) != canonical(content).decode():
        append(connection, kind, content)


def configuration(connection: Connection, name: str) -> Any:
    """What the newest entry about the configuration `name` says; None where there is none yet."""
    found = connection.scalar(newest_of(_kind_of(name)))
    return None if found is None else json.loads(found)


def _kind_of(name: str) -> str:
    return f"configuration {name}"[:KIND]


def newest_of(kind: str) -> Select[Any]:
    """The query for the content of the newest entry of a kind; an index answers it."""
    return select(chain.c.content).where(chain.c.kind == kind).order_by(chain.c.number.desc()).limit(1)


def access(connection: Connection, what: Mapping[str, Any], by: str) -> None:
    """Add an entry about who may do what from now on: a key or an account, by its number, and who said so."""
    append(connection, ACCESS, {**what, "by": by})


def record(connection: Connection, kind: str, items: Mapping[bytes, Mapping[str, Any]]) -> None:
    """Add an entry about events or labels: by pseudonym, what `event_item` or `label_item` makes."""
    if not items:
        return
    salts = {name: secrets.token_bytes(SALT) for name in items}
    digests = [content_digest(salts[name], canonical(item)) for name, item in items.items()]
    number = int(append(connection, kind, digests).partition(":")[0])
    rows = [
        {"pseudonym": name, "kind": kind, "number": number, "place": place, "salt": salts[name]}
        for place, name in enumerate(items)
    ]
    insert_rows(connection, chain_items, rows)


def event_item(
    row: Mapping[str, Any], stream: tuple[str, str, str], attributes: Mapping[str, str]
) -> dict[str, Any]:
    """What the chain records of an event: `row` as in `predictions`, its use case, model and version."""
    use_case, model, version = stream
    return {
        **{name: row[name] for name in FIELDS},
        "time": stamp(row["time"]),
        "use_case": use_case,
        "model": model,
        "version": version,
        "attributes": dict(attributes),
    }


def label_item(use_case: str, prediction_id: str, label: int) -> dict[str, Any]:
    """What the chain records of a label."""
    return {"use_case": use_case, "prediction_id": prediction_id, "label": label}


def head(connection: Connection) -> str:
    """The newest head as ``NUMBER:HEAD``: publish it, for a chain rewritten later does not hold it."""
    last = connection.execute(
        select(chain.c.number, chain.c.head).order_by(chain.c.number.desc()).limit(1)
    ).first()
    return f"0:{FIRST}" if last is None else f"{last.number}:{last.head}"


def forget(
    connection: Connection,
    pseudonyms: Sequence[bytes],
    *,
    why: str,
    by: str,
    use_case: str | None = None,
    also: Mapping[str, int] | None = None,
) -> int:
    """Erase the salts of these events and labels, and record that; return how many there were.

    `also` counts what else was erased, of which the chain knows nothing, such as texts. It is called in the
    transaction that deletes what they were about, after that.
    """
    gone: list[list[Any]] = []
    for part in range(0, len(pseudonyms), ROWS):
        mine = chain_items.c.pseudonym.in_(pseudonyms[part : part + ROWS])
        columns = chain_items.c.kind, chain_items.c.number, chain_items.c.place
        gone += [list(row) for row in connection.execute(select(*columns).where(mine))]
        connection.execute(delete(chain_items).where(mine))
    more = {name: n for name, n in (also or {}).items() if n}
    if gone or more:
        content = {**more, "items": sorted(gone), "why": why, "by": by}
        append(connection, ERASURE, content, use_case=use_case)
    return len(gone)


def erase(connection: Connection, number: int, *, why: str, by: str) -> None:
    """Erase the content of the entry `number` (of no batch), and record that; its digest stays."""
    connection.execute(update(chain).where(chain.c.number == number).values(salt=None, content=None))
    append(connection, ERASURE, {"entries": [number], "why": why, "by": by})


def entries(connection: Connection) -> Iterator[dict[str, Any]]:
    """Every entry in order, as an export has it: times and bytes as texts."""
    last = 0
    while rows := connection.execute(
        select(chain).where(chain.c.number > last).order_by(chain.c.number).limit(ROWS)
    ).all():
        for row in rows:
            salt = None if row.salt is None else row.salt.hex()
            yield {**row._mapping, "time": stamp(row.time), "salt": salt}
        last = rows[-1].number


def items(connection: Connection, secret: bytes) -> Iterator[Item]:
    """Every event and label that is stored, made anew from the tables as they are."""
    last = 0
    while (
        rows := connection.execute(_PREDICTIONS.where(predictions.c.id > last).limit(ROWS)).mappings().all()
    ):
        names = {pseudonym(secret, row["use_case_id"], row["prediction_id"]): row for row in rows}
        known = _attributes(connection, names)
        held = _held(connection, names)
        for name, row in names.items():
            given = json.loads(known.get(name, "{}"))
            event = event_item(dict(row), (row["use_case"], row["model"], row["version"]), given)
            yield _item(EVENTS, held.get((name, EVENTS)), event)
            if row["label"] is not None:
                label = label_item(row["use_case"], row["prediction_id"], row["label"])
                yield _item(LABELS, held.get((name, LABELS)), label)
        last = rows[-1]["id"]


@dataclass(frozen=True)
class Item:
    """An event or a label: `content` is the JSON whose digest stands at `place` of the entry `entry`.

    Without a `salt` its digest cannot be made any more, and `entry` and `place` are 0.
    """

    kind: str
    use_case: str
    prediction_id: str
    content: str
    entry: int = 0
    place: int = 0
    salt: bytes = b""

    @property
    def digest(self) -> str:
        """What has to stand in the chain."""
        return content_digest(self.salt, self.content.encode())


def _item(kind: str, held: Any, content: Mapping[str, Any]) -> Item:
    where = () if held is None else (held.number, held.place, bytes(held.salt))
    return Item(kind, content["use_case"], content["prediction_id"], canonical(content).decode(), *where)


_PREDICTIONS = (
    select(predictions, streams.c.model, streams.c.version, use_cases.c.name.label("use_case"))
    .join(streams, streams.c.id == predictions.c.stream_id)
    .join(use_cases, use_cases.c.id == predictions.c.use_case_id)
    .order_by(predictions.c.id)
)


def _attributes(connection: Connection, names: Iterable[bytes]) -> dict[bytes, str]:
    rows = connection.execute(
        select(subjects.c.pseudonym, attribute_sets.c.content)
        .join(attribute_sets, attribute_sets.c.id == subjects.c.attribute_set_id)
        .where(subjects.c.pseudonym.in_(list(names)))
    )
    return {bytes(name): content for name, content in rows}


def _held(connection: Connection, names: Iterable[bytes]) -> dict[tuple[bytes, str], Any]:
    rows = connection.execute(select(chain_items).where(chain_items.c.pseudonym.in_(list(names))))
    return {(bytes(row.pseudonym), row.kind): row for row in rows}


def check(store: Store, published: str = "") -> list[str]:
    """What is wrong with the chain and with the events and labels that it recorded; empty if nothing is.

    `published` is a head that was written down earlier.
    """
    with store.reading() as connection:
        faults = list(chain_faults(entries(connection), published))
        return faults + list(_item_faults(connection, store.secret))


def _item_faults(connection: Connection, secret: bytes) -> Iterator[str]:
    left: dict[tuple[str, int], dict[int, str]] = {}
    erased = 0
    for entry in entries(connection):
        content = json.loads(entry["content"] or "null")
        if entry["kind"] in ITEMS and content:
            left[entry["kind"], entry["number"]] = dict(enumerate(content))
        elif entry["kind"] == ERASURE and content:
            for kind, number, place in content.get("items", ()):
                erased += left.get((kind, number), {}).pop(place, None) is not None
    unknown: list[Item] = []
    for item in items(connection, secret):
        what = f"{_ONE[item.kind]} {item.prediction_id!r} of {item.use_case!r}"
        if not item.salt:
            unknown.append(item)
        elif left.get((item.kind, item.entry), {}).pop(item.place, None) != item.digest:
            yield f"{what}: it is not what entry {item.entry} recorded at place {item.place}"
    if len(unknown) > erased:
        first = unknown[0]
        yield (
            f"{len(unknown)} events and labels are not in the chain, and {erased} were erased from it; "
            f"the first is the {_ONE[first.kind]} {first.prediction_id!r} of {first.use_case!r}"
        )
    for (kind, number), places in left.items():
        for place in places:
            yield f"the {_ONE[kind]} at place {place} of entry {number} is missing, and no erasure names it"


_ONE = {EVENTS: "event", LABELS: "label"}
