"""The chain holds, names what was altered, and survives erasure and writers at once."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, insert, select, update

from evenhand.monitor import chain
from evenhand.monitor.events import Label
from evenhand.monitor.ingest import join, take
from evenhand.monitor.pseudonyms import pseudonym
from evenhand.monitor.store import Store
from evenhand.monitor.store.record_tables import chain as table
from evenhand.monitor.store.tables import predictions, subjects
from tests.monitor.made import decision


def _filled(store: Store) -> str:
    """Two events, one label, one configuration: entries 1, 2, 3."""
    take(store, [decision("a", score=0.25), decision("b", attributes={"sex": "m", "race": None})])
    join(store, [Label(prediction_id="a", use_case="loans", label=0)])
    return store.write(lambda c: chain.append(c, "configuration", {"alpha": 0.05}, use_case="loans"))


@pytest.mark.parametrize("scores", [(-0.0,), (0.0, -0.0), (-0.0, 0.5)])
def test_a_zero_has_no_sign(store: Store, scores: tuple[float, ...]) -> None:
    take(store, [decision(str(number), score=score) for number, score in enumerate(scores)])
    assert chain.check(store) == []


def test_each_entry_follows_from_the_one_before(store: Store) -> None:
    published = _filled(store)
    with store.reading() as connection:
        entries = list(chain.entries(connection))
        assert chain.head(connection) == published == f"3:{entries[-1]['head']}"
    assert [(e["number"], e["kind"]) for e in entries] == [(1, "events"), (2, "labels"), (3, "configuration")]
    assert entries[0]["previous"] == "0" * 64
    assert [e["previous"] for e in entries[1:]] == [e["head"] for e in entries[:-1]]
    last = entries[-1]
    assert last["content"] == '{"alpha":0.05}'
    salted = bytes.fromhex(last["salt"]) + b'{"alpha":0.05}'
    assert last["digest"] == hashlib.sha256(salted).hexdigest()
    assert chain.check(store, published) == []
    assert len(json.loads(entries[0]["content"])) == 2


def test_an_empty_chain_holds(store: Store) -> None:
    with store.reading() as connection:
        assert chain.head(connection) == "0:" + "0" * 64
    assert chain.check(store) == []


def test_what_is_not_stored_is_not_in_the_chain(store: Store) -> None:
    def failing(connection):
        chain.append(connection, "configuration", {"a": 1})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write(failing)
    take(store, [decision("a")])
    assert take(store, [decision("a")]).duplicates == 1
    with store.reading() as connection:
        assert chain.head(connection).startswith("1:")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            update(predictions).where(predictions.c.prediction_id == "a").values(decision=0),
            "event 'a' of 'loans': it is not what entry 1 recorded at place 0",
        ),
        (
            update(predictions).where(predictions.c.prediction_id == "a").values(label=1),
            "label 'a' of 'loans': it is not what entry 2 recorded at place 0",
        ),
        (
            delete(predictions).where(predictions.c.prediction_id == "b"),
            "the event at place 1 of entry 1 is missing, and no erasure names it",
        ),
        (
            update(table).where(table.c.number == 3).values(content='{"alpha":0.06}'),
            "entry 3 of the chain (configuration): its content was altered",
        ),
        (
            update(table).where(table.c.number == 2).values(kind="labelz"),
            "entry 2 of the chain: its time, kind or digest was altered",
        ),
    ],
)
def test_what_was_altered_is_named(store: Store, change, told: str) -> None:
    _filled(store)
    store.write(lambda connection: connection.execute(change))
    found = chain.check(store)
    assert told in found


def test_an_event_put_in_beside_the_service_is_named(store: Store) -> None:
    _filled(store)

    def put(connection):
        row = dict(
            connection.execute(select(predictions).where(predictions.c.prediction_id == "b")).mappings().one()
        )
        connection.execute(insert(predictions).values(**{**row, "id": 99, "prediction_id": "c"}))

    store.write(put)
    (fault,) = chain.check(store)
    assert fault.startswith("1 events and labels are not in the chain")
    assert "'c'" in fault


def test_an_entry_left_out_is_named(store: Store) -> None:
    _filled(store)
    store.write(lambda c: chain.append(c, "configuration", {"alpha": 0.1}))
    store.write(lambda connection: connection.execute(delete(table).where(table.c.number == 3)))
    assert "entry 3 of the chain: it has the number 4: an entry was left out or put in" in chain.check(store)


def test_a_chain_rewritten_as_a_whole_is_found_by_an_earlier_head(store: Store) -> None:
    published = _filled(store)

    def rewrite(connection):
        contents = [(e["kind"], json.loads(e["content"])) for e in chain.entries(connection)]
        places = connection.execute(select(chain.chain_items)).mappings().all()
        connection.execute(delete(chain.chain_items))
        connection.execute(delete(table))
        for kind, content in contents:
            chain.append(connection, kind, content if kind != "configuration" else {"alpha": 0.5})
        connection.execute(insert(chain.chain_items), [dict(row) for row in places])

    store.write(rewrite)
    assert chain.check(store) == []  # by itself it is of one piece
    (fault,) = chain.check(store, published)
    assert fault == f"the head {published} that was published earlier is not in this chain: it was rewritten"


def test_erasure_leaves_a_tombstone_and_the_chain_holds(store: Store) -> None:
    published = _filled(store)
    name = pseudonym(store.secret, 1, "a")

    def erase(connection):
        connection.execute(delete(predictions).where(predictions.c.prediction_id == "a"))
        connection.execute(delete(subjects).where(subjects.c.pseudonym == name))
        assert chain.forget(connection, [name], why="asked for", by="admin") == 2
        chain.erase(connection, 3, why="held a name", by="admin")

    store.write(erase)
    assert chain.check(store, published) == []
    with store.reading() as connection:
        entries = list(chain.entries(connection))
        assert [item.prediction_id for item in chain.items(connection, store.secret)] == ["b"]
    assert (entries[2]["salt"], entries[2]["content"]) == (None, None)
    assert json.loads(entries[3]["content"]) == {
        "by": "admin",
        "items": [["events", 1, 0], ["labels", 2, 0]],
        "why": "asked for",
    }


def test_attributes_may_go_alone(store: Store) -> None:
    _filled(store)
    name = pseudonym(store.secret, 1, "b")

    def erase(connection):
        connection.execute(delete(subjects).where(subjects.c.pseudonym == name))
        chain.forget(connection, [name], why="asked for", by="admin")

    store.write(erase)
    assert chain.check(store) == []


def test_writers_at_once_make_one_chain(store: Store) -> None:
    def work(number: int) -> None:
        take(store, [decision(f"{number}-{n}", use_case=f"case {number % 3}") for n in range(3)])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    with store.reading() as connection:
        assert [entry["number"] for entry in chain.entries(connection)] == list(range(1, 13))
    assert chain.check(store) == []
