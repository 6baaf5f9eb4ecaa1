"""Retention, holds and erasure: what goes, what stays, and that the chain holds after each."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from evenhand.errors import UnknownName, UsageError
from evenhand.monitor import chain, erasing, feedback, holding, keys, retention, users, verifier
from evenhand.monitor.events import Event, Label
from evenhand.monitor.export import export
from evenhand.monitor.figures import Question, figures
from evenhand.monitor.ingest import join, take
from evenhand.monitor.policy import Retention
from evenhand.monitor.roles import EVERYBODY, Principal
from evenhand.monitor.store import Store
from evenhand.monitor.store.engine import StoreUnavailable
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.record_tables import erased, reports
from evenhand.monitor.store.tables import predictions, subjects, texts, waiting_labels
from tests.monitor.made import decision

CANARY = "canary of a text"


def answer(name: str, **given) -> Event:
    return Event(
        kind="generation", prediction_id=name, use_case="loans", model="scorer", length=3,
        prompt=f"{CANARY} {name}", attributes={"sex": "f"}, **given,
    )  # fmt: skip


def filled(store: Store) -> str:
    """Four decisions (a, b with labels), two generations with texts (g, h), a label that waits (w)."""
    take(store, [decision(name) for name in "abcd"])
    take(store, [answer(name) for name in "gh"], keep_texts=True)
    join(store, [Label(prediction_id=name, use_case="loans", label=0) for name in ("a", "b", "w")])
    with store.reading() as connection:
        return chain.head(connection)


def rows(store: Store) -> tuple[int, ...]:
    """How many predictions, links to attributes, texts, waiting labels."""
    with store.reading() as connection:
        return tuple(
            connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (predictions, subjects, texts, waiting_labels)
        )


def rates(store: Store) -> list:
    return figures(store, Question("loans", attribute="sex"))


def whole(store: Store, head: str, folder: Path) -> bool:
    """Whether the database and an export of it hold, by the verifier that outsiders run."""
    made = export(store, folder)
    found = [*chain.check(store, head), *verifier.faults(made.folder, head)]
    assert found == []
    return True


def test_erasure_takes_the_records_leaves_the_counts_and_the_chain(store: Store, tmp_path) -> None:
    head = filled(store)
    before = rates(store)
    gone = erasing.erase(store, "loans", ["a", "g", "w"], why="asked for", by="admin")
    assert gone == erasing.Gone(predictions=2, attributes=2, texts=1, waiting_labels=1)
    assert rows(store) == (4, 4, 1, 0)
    assert rates(store) == before
    assert whole(store, head, tmp_path / "out")
    with store.reading() as connection:
        last = list(chain.entries(connection))[-1]
    said = json.loads(last["content"])
    assert (last["kind"], last["use_case"], said["why"], said["by"]) == (
        "erasure",
        "loans",
        "asked for",
        "admin",
    )
    # Event and label of a, event of g; by place, and by no name.
    assert [kind for kind, _, _ in said["items"]] == ["events", "events", "labels"]
    assert (said["texts"], said["waiting labels"]) == (1, 1)
    assert set(said) == {"by", "items", "texts", "waiting labels", "why"}


def test_what_was_erased_is_not_stored_again(store: Store, tmp_path) -> None:
    head = filled(store)
    erasing.erase(store, "loans", ["a", "w"], why="asked for", by="admin")
    before, count = rates(store), rows(store)
    outcome = take(
        store, [decision("a", label=1), decision("a"), decision("w"), decision("new")], keep_texts=True
    )
    assert (outcome.accepted, outcome.duplicates, outcome.labels, outcome.waiting) == (1, 3, 0, 0)
    outcome = join(store, [Label(prediction_id="a", use_case="loans", label=1)])
    assert (outcome.labels, outcome.waiting, outcome.conflicting) == (0, 0, 0)
    assert rows(store) == (count[0] + 1, count[1] + 1, *count[2:])
    women = lambda found: next(f.n for f in found if (f.indicator, f.group) == ("selection_rate", "f"))  # noqa: E731
    assert women(rates(store)) == women(before) + 1
    assert whole(store, head, tmp_path / "out")


def test_erased_texts_are_not_in_the_file(store: Store) -> None:
    if not store.sqlite:
        pytest.skip("PostgreSQL keeps them until VACUUM, as docs/operations.md says")
    filled(store)
    place = Path(str(store.url.database))
    files = [place, place.with_name(f"{place.name}-wal")]
    assert any(b"canary of a text g" in one.read_bytes() for one in files if one.exists())
    erasing.erase(store, "loans", ["g"], why="asked for", by="admin")
    assert not any(b"canary of a text g" in one.read_bytes() for one in files if one.exists())
    assert any(b"canary of a text h" in one.read_bytes() for one in files if one.exists())


@pytest.mark.parametrize(
    ("use_case", "ids", "why", "told"),
    [
        ("jobs", ["a"], "x", "no use case named 'jobs'"),
        (
            "loans",
            ["a", "zz"],
            "x",
            "of the prediction 'zz' in 'loans'; nothing was erased",
        ),
        ("loans", ["a"], "  ", "There is no reason"),
        ("loans", [], "x", "0 predictions were named"),
    ],
)
def test_what_cannot_be_erased_erases_nothing(store: Store, use_case, ids, why, told) -> None:
    filled(store)
    count = rows(store)
    with pytest.raises(UsageError, match=told):
        erasing.erase(store, use_case, ids, why=why, by="admin")
    assert rows(store) == count


def test_a_hold_keeps_a_person_or_a_use_case_until_it_ends(store: Store, tmp_path) -> None:
    head = filled(store)
    person = holding.add(store, "loans", prediction_id="a", why="case 7", by="ada")
    with pytest.raises(erasing.IsHeld, match="keeps 1 of these predictions; nothing was erased"):
        erasing.erase(store, "loans", ["a", "b"], why="asked for", by="admin")
    erasing.erase(store, "loans", ["b"], why="asked for", by="admin")
    case = holding.add(store, "loans", why="case 8", by="ada")
    with pytest.raises(erasing.IsHeld, match="keeps the use case 'loans'"):
        erasing.erase(store, "loans", ["c"], why="asked for", by="admin")
    assert [(one.id, one.person) for one in holding.listed(store, EVERYBODY)] == [
        (case, False),
        (person, True),
    ]
    other = Principal("bob", frozenset({"admin"}), frozenset({"jobs"}))
    assert holding.listed(store, other) == []
    with pytest.raises(UnknownName, match="no hold named"):
        holding.remove(store, other, case, why="x")
    holding.remove(store, EVERYBODY, case, why="closed")
    holding.remove(store, EVERYBODY, person, why="closed")
    with pytest.raises(UnknownName, match="no hold named"):
        holding.remove(store, EVERYBODY, person, why="closed")
    erasing.erase(store, "loans", ["a"], why="asked for", by="admin")
    assert [one.removed is not None for one in holding.listed(store, EVERYBODY, removed=True)] == [True, True]
    with store.reading() as connection:
        said = [json.loads(e["content"]) for e in chain.entries(connection) if e["kind"] == "hold"]
    assert [(one["hold"], one.get("removed", False)) for one in said] == [
        (1, False),
        (2, False),
        (2, True),
        (1, True),
    ]
    assert "prediction" not in json.dumps(said)
    assert whole(store, head, tmp_path / "out")


def test_a_hold_needs_something_to_hold(store: Store) -> None:
    filled(store)
    holding.add(store, "loans", prediction_id="w", why="x", by="ada")  # its label waits for it
    with pytest.raises(erasing.IsHeld):
        erasing.erase(store, "loans", ["w"], why="x", by="ada")
    with pytest.raises(UsageError, match="Nothing is stored of the prediction 'zz'"):
        holding.add(store, "loans", prediction_id="zz", why="x", by="ada")
    with pytest.raises(UnknownName, match="no use case named 'lons'"):
        holding.add(store, "lons", why="x", by="ada")
    with pytest.raises(UsageError, match="no reason"):
        holding.add(store, "loans", why=" ", by="ada")


def test_retention_works_in_three_steps(store: Store, tmp_path, monkeypatch) -> None:
    """Texts after 10 days, links to attributes after 20, events (and labels that wait) after 30."""
    monkeypatch.setattr(retention, "ROWS", 2)  # of a transaction: six events are three
    head = filled(store)
    kept = Retention(texts_days=10, pseudonyms_days=20, events_days=30)
    before, began = rates(store), utc_now()
    seen = []
    for days in (9, 11, 21, 31, 32):
        expected = retention.run(store, kept, now=began + timedelta(days=days), dry=True)
        count = rows(store)
        found = retention.run(store, kept, now=began + timedelta(days=days))
        assert found == expected
        assert rows(store) == tuple(
            n - gone
            for n, gone in zip(
                count, (found.predictions, found.attributes, found.texts, found.waiting_labels), strict=True
            )
        )
        seen.append((days, rows(store)))
        assert whole(store, head, tmp_path / str(days))
    assert seen == [
        (9, (6, 6, 2, 1)),
        (11, (6, 6, 0, 1)),
        (21, (6, 0, 0, 1)),
        (31, (0, 0, 0, 0)),
        (32, (0, 0, 0, 0)),
    ]
    assert rates(store) == before


def test_a_dry_run_counts_once_and_deletes_nothing(store: Store) -> None:
    filled(store)
    kept = Retention(texts_days=10, pseudonyms_days=20, events_days=30)
    found = retention.run(store, kept, now=utc_now() + timedelta(days=99), dry=True)
    assert (found.predictions, found.attributes, found.texts, found.waiting_labels) == (6, 6, 2, 1)
    assert rows(store) == (6, 6, 2, 1)
    assert retention.run(store, kept, now=utc_now() + timedelta(days=99)) == found


def test_retention_leaves_what_is_held_and_takes_it_afterwards(store: Store, tmp_path) -> None:
    head = filled(store)
    kept = Retention(texts_days=10, events_days=30, pseudonyms_days=20)
    late = utc_now() + timedelta(days=99)
    case = holding.add(store, "loans", why="case", by="ada")
    assert retention.run(store, kept, now=late) == retention.Run(held_use_cases=1)
    holding.remove(store, EVERYBODY, case, why="closed")
    person = holding.add(store, "loans", prediction_id="g", why="case", by="ada")
    retention.run(store, Retention(texts_days=10, pseudonyms_days=20), now=late)
    assert rows(store) == (6, 1, 1, 1)
    retention.run(store, kept, now=late)
    assert rows(store) == (1, 1, 1, 0)
    holding.remove(store, EVERYBODY, person, why="closed")
    retention.run(store, Retention(texts_days=10, pseudonyms_days=20), now=late)
    assert rows(store) == (1, 0, 0, 0)
    assert whole(store, head, tmp_path / "out")


def test_texts_of_closed_reports_go_and_their_states_stay(store: Store) -> None:
    given = {"prompt": "p", "answer": CANARY, "why": "w"}
    tokens = [
        feedback.report(store, feedback.Reported(use_case="loans", **given), "key:app") for _ in range(2)
    ]
    feedback.triage(store, EVERYBODY, 1, "fixed", "Thanks.")
    kept, late = Retention(texts_days=10), utc_now() + timedelta(days=11)
    assert [retention.run(store, kept, now=late).reports for _ in range(2)] == [1, 0]
    with store.reading() as connection:
        found = connection.execute(select(reports.c.answer, reports.c.why).order_by(reports.c.id)).all()
    assert [tuple(row) for row in found] == [(None, ""), (CANARY, "w")]
    assert (feedback.told(store, tokens[0]).state, feedback.told(store, tokens[0]).note) == (
        "fixed",
        "Thanks.",
    )


def test_it_runs_once_a_day(store: Store) -> None:
    filled(store)
    kept, began = Retention(texts_days=10), utc_now()
    hours = [0, 1, 23.9, 24.1, 30, 48.2]
    ran = [retention.daily(store, kept, now=began + timedelta(hours=at)) is not None for at in hours]
    assert ran == [True, False, False, True, False, True]
    assert retention.daily(store, Retention(), now=began + timedelta(days=9)) is None


def test_a_run_that_failed_is_done_again(store: Store, monkeypatch) -> None:
    filled(store)
    kept, began = Retention(texts_days=10), utc_now()

    def away(*_, **__):
        raise StoreUnavailable("The database does not answer.", mend="Start it.")

    with monkeypatch.context() as patch:
        patch.setattr(retention, "run", away)
        with pytest.raises(StoreUnavailable):
            retention.daily(store, kept, now=began)
    assert retention.daily(store, kept, now=began + timedelta(minutes=10)) is not None


def test_a_late_label_of_a_person_without_attributes_is_counted(store: Store, tmp_path) -> None:
    head = filled(store)
    retention.run(store, Retention(pseudonyms_days=1), now=utc_now() + timedelta(days=2))
    assert join(store, [Label(prediction_id="c", use_case="loans", label=1)]).labels == 1
    assert whole(store, head, tmp_path / "out")


def test_only_admins_hold_and_erase_by_the_api(store: Store, client) -> None:
    filled(store)
    key = keys.create(store, "k", ["ingest", "read", "feedback", "audit", "act"])
    wanted = {"use_case": "loans", "prediction_ids": ["a"], "why": "asked for"}
    bearer = {"Authorization": f"Bearer {key.text}"}
    assert client.post("/v1/erasures", json=wanted, headers=bearer).status_code == 403
    assert client.get("/v1/holds", headers=bearer).status_code == 403
    users.add(store, "ada", "a long password", "admin", use_cases=["loans"])
    own = {"Origin": "http://127.0.0.1:8000"}
    form = {"name": "ada", "password": "a long password"}
    assert client.post("/login", data=form, headers=own).status_code == 303
    made = client.post("/v1/holds", json={"use_case": "loans", "why": "case"}, headers=own)
    assert made.json() == {"hold": 1}
    refused = client.post("/v1/erasures", json=wanted, headers=own)
    assert (refused.status_code, "legal hold" in refused.json()["error"]["what"]) == (422, True)
    assert client.get("/v1/holds").json()[0]["by"] == "ada"
    assert client.post("/v1/holds/1/remove", json={"why": "closed"}, headers=own).status_code == 200
    assert client.post("/v1/erasures", json=wanted, headers=own).json()["predictions"] == 1
    assert client.post("/v1/erasures", json={**wanted, "use_case": "jobs"}, headers=own).status_code == 403
    with store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(erased)) == 1
