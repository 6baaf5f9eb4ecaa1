"""Each event counts once, with its label whenever that comes, in every group that it belongs to."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from evenhand.errors import BadData, NoSpace
from evenhand.monitor import known
from evenhand.monitor.events import Event, Label
from evenhand.monitor.ingest import Outcome, join, take
from evenhand.monitor.rollups import bin_of
from evenhand.monitor.store import Store, tables
from evenhand.monitor.store.engine import StoreUnavailable
from tests.monitor.made import DAY, decision


def counts(store: Store, *names: str) -> dict[str, tuple[Any, ...]]:
    """The sums of cells by ``attribute=value``."""
    c, g = tables.cells.c, tables.groups.c
    query = (
        select(g.attribute, g.value, *(func.sum(c[name]) for name in names))
        .join(tables.groups)
        .group_by(g.attribute, g.value)
    )
    with store.reading() as connection:
        return {f"{one}={two}": tuple(map(int, rest)) for one, two, *rest in connection.execute(query)}


def total(store: Store, table: Any) -> int:
    with store.reading() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def test_an_event_counts_for_everybody_its_groups_and_their_intersections(store: Store) -> None:
    people = [
        decision("a", attributes={"sex": "f", "race": "x"}),
        decision("b", attributes={"race": "y", "sex": "f"}, decision=0),
        decision("c", attributes={"sex": None}),
    ]
    assert take(store, people) == Outcome(accepted=3)
    assert counts(store, "events", "selected") == {
        "=": (3, 2),
        "sex=f": (2, 1),
        "race=x": (1, 1),
        "race=y": (1, 0),
        "race*sex=x*f": (1, 1),
        "race*sex=y*f": (1, 0),
    }


def test_what_comes_again_counts_once(store: Store) -> None:
    assert take(store, [decision("a"), decision("a", decision=0)]) == Outcome(accepted=1, duplicates=1)
    assert take(store, [decision("a"), decision("b")]) == Outcome(accepted=1, duplicates=1)
    assert take(store, [decision("a", use_case="jobs")]) == Outcome(accepted=1)
    assert counts(store, "events")["="] == (3,)
    assert total(store, tables.predictions) == 3


def test_labels_are_joined_before_with_and_after_their_decisions(store: Store) -> None:
    def label(name: str, value: int) -> Label:
        return Label(prediction_id=name, use_case="loans", label=value)

    names = ("labelled", "true_positives", "false_positives", "true_negatives", "false_negatives")
    assert join(store, [label("early", 1)]) == Outcome(waiting=1)
    assert take(store, [decision("early"), decision("with", label=0), decision("late", decision=0)]) == (
        Outcome(accepted=3, labels=2)
    )
    assert join(store, [label("late", 1)]) == Outcome(labels=1)
    # early: selected and right; with: selected and wrong; late: not selected and wrong
    assert counts(store, *names) == {"=": (3, 1, 1, 0, 1), "sex=f": (3, 1, 1, 0, 1)}
    assert join(store, [label("late", 1), label("with", 1)]) == Outcome(conflicting=1)
    assert take(store, [decision("with", label=1)]) == Outcome(duplicates=1, conflicting=1)
    assert counts(store, *names)["="] == (3, 1, 1, 0, 1)
    assert total(store, tables.waiting_labels) == 0


def test_scores_are_counted_in_bins(store: Store) -> None:
    assert [bin_of(score) for score in (0, 0.019, 0.02, 0.999, 1)] == [0, 0, 1, 49, 49]
    take(store, [decision("a", score=0.25, label=1), decision("b", score=0.255), decision("c", score=1)])
    s = tables.score_cells.c
    query = (
        select(s.bin, s.scored, s.labelled, s.positives, s.total, s.labelled_total)
        .join(tables.groups)
        .where(tables.groups.c.attribute == "sex")
        .order_by(s.bin)
    )
    with store.reading() as connection:
        # 0.25 * 50 = 12.5 and 0.255 * 50 = 12.75 are in bin 12
        assert connection.execute(query).all() == [
            (12, 2, 1, 1, pytest.approx(0.505), 0.25),
            (49, 1, 0, 0, 1.0, 0.0),
        ]


def test_generations_are_counted_by_what_is_known_of_them(store: Store) -> None:
    def answer(name: str, **given: Any) -> Event:
        return Event(kind="generation", prediction_id=name, model="m", **given)

    take(
        store,
        [
            answer("a", refused=True, length=3),
            answer("b", refused=False, toxicity=0.5, length=4),
            answer("c", answer="x", prompt="y"),
        ],
    )
    names = ("events", "generations", "judged", "refusals", "rated", "toxic", "measured", "length_squares")
    assert counts(store, *names) == {"=": (0, 3, 2, 1, 1, 1, 2, 9 + 16)}
    assert total(store, tables.texts) == 0
    take(store, [answer("d", answer="x")], keep_texts=True)
    assert total(store, tables.texts) == 1


def test_attributes_are_apart_from_decisions(store: Store) -> None:
    take(store, [decision("a"), decision("b")])
    assert "sex" not in {column.name for column in tables.predictions.columns}
    with store.reading() as connection:
        names = connection.scalars(select(tables.subjects.c.pseudonym)).all()
    assert len({bytes(name) for name in names}) == 2
    assert all(len(name) == 16 and b"a" != name != b"b" for name in names)


def test_a_batch_is_stored_whole_or_not_at_all(store: Store) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        take(store, [decision("a")], after=broken)
    assert (total(store, tables.predictions), total(store, tables.cells), total(store, tables.use_cases)) == (
        0,
        0,
        0,
    )
    assert take(store, [decision("a")]) == Outcome(accepted=1)


def test_what_has_grown_is_told_in_the_transaction(store: Store) -> None:
    told: list[frozenset[int]] = []
    take(store, [decision("a"), decision("b", version="2")], after=lambda _, own: told.append(own))
    take(store, [decision("a")], after=lambda _, own: told.append(own))
    assert [len(own) for own in told] == [2]


def test_two_writers_count_everything(store: Store) -> None:
    """Both send the same 200 events and 100 of their own, in batches of 25."""

    def send(own: str) -> None:
        names = [f"{own if i % 3 == 2 else 'both'}-{i}" for i in range(300)]
        for start in range(0, 300, 25):
            outcomes.append(take(store, [decision(name) for name in names[start : start + 25]]))

    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=send, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.accepted for one in outcomes) == 400
    assert sum(one.duplicates for one in outcomes) == 200
    assert counts(store, "events") == {"=": (400,), "sex=f": (400,)}


def test_values_beyond_the_limit_are_other(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(known, "VALUES", 3)
    monkeypatch.setattr(known, "NAMES", 2)
    take(store, [decision(f"{i}", attributes={"city": f"c{i}"}) for i in range(6)])
    assert counts(store, "events") == {
        "=": (6,), "city=c0": (1,), "city=c1": (1,), "city=c2": (1,), "city=(other)": (3,),
    }  # fmt: skip
    with pytest.raises(BadData, match="at most 2 attributes"):
        take(store, [decision("x", attributes={"a": "1", "b": "2", "c": "3"})])


def test_days_are_those_of_the_decisions_whatever_the_clock_says(store: Store, monkeypatch) -> None:
    """The service's clock goes back by a year between two batches."""
    from evenhand.monitor import ingest

    now = DAY + timedelta(days=10)
    monkeypatch.setattr(ingest, "utc_now", lambda: now)
    take(store, [decision("a")])
    now -= timedelta(days=365)
    take(store, [decision("b"), decision("c", time=DAY - timedelta(days=1))])
    with store.reading() as connection:
        days = connection.execute(
            select(tables.cells.c.day, tables.cells.c.events).join(tables.groups)
            .where(tables.groups.c.attribute == "").order_by(tables.cells.c.day)
        ).all()  # fmt: skip
    assert [(f"{day:%m-%d}", n) for day, n in days] == [("02-28", 1), ("03-01", 2)]


def test_a_full_disk_is_told_and_nothing_is_stored(tmp_path) -> None:
    from evenhand.monitor.store import open_store

    store = open_store(tmp_path)
    take(store, [decision("a")])
    with store.writer.connect() as connection:  # the only writing connection may take no page more
        pages = connection.exec_driver_sql("pragma page_count").scalar()
        connection.exec_driver_sql(f"pragma max_page_count={pages}")
    with pytest.raises(NoSpace, match="disk of the database is full"):
        take(store, [decision(f"b{i}") for i in range(2000)])
    with store.writer.connect() as connection:
        connection.exec_driver_sql("pragma max_page_count=1000000")
    assert counts(store, "events")["="] == (1,)
    assert take(store, [decision(f"b{i}") for i in range(2000)]).accepted == 2000
    store.close()


@pytest.mark.postgres
def test_a_database_that_went_away_is_used_again_when_it_is_back(tmp_path) -> None:
    from evenhand.monitor.store import open_store
    from tests.support import postgres

    with postgres.running() as server:
        store = open_store(tmp_path, f"{server.address}/postgres")
        take(store, [decision("a")])
        server.stop()
        with pytest.raises(StoreUnavailable):
            take(store, [decision("b")])
        server.start()
        assert take(store, [decision("a"), decision("b")]) == Outcome(accepted=1, duplicates=1)
        store.close()
