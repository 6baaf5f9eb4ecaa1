"""Alerts on a database: when a day enters, what is stored, and how somebody answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from evenhand.errors import BadData
from evenhand.monitor import keys, watching
from evenhand.monitor.ingest import take
from evenhand.monitor.policy import parse_policy
from evenhand.monitor.roles import EVERYBODY
from evenhand.monitor.service.settings import Settings
from evenhand.monitor.store import Store
from evenhand.monitor.store.opening import utc_now
from tests.monitor.conftest import HERE
from tests.monitor.made import DAY, decision
from tests.monitor.replicas import create_app

POLICY = parse_policy(
    """
    minimum = 20
    [[rule]]
    indicator = "selection_rate"
    attribute = "sex"
    tolerance = {ratio = 0.8}
    """
)


def day(number: int, *, selected: dict[str, int], version: str = "1", people: str = "") -> list:
    """A day of 50 women and 50 men, of whom so many are selected."""
    return [
        decision(
            f"{version}-{number}-{sex}-{i}{people}",
            time=DAY + timedelta(days=number),
            version=version,
            decision=int(i < selected[sex]),
            attributes={"sex": sex},
        )
        for sex in "fm"
        for i in range(50)
    ]


def told(store: Store) -> list[tuple[str, tuple[int, int]]]:
    return [(one.status, one.n) for one in watching.listed(store, EVERYBODY)]


def test_a_day_enters_once_when_the_next_one_has_begun(store: Store) -> None:
    after = watching.Watcher(POLICY).after
    for number in range(2):
        whole = day(number, selected={"f": 25, "m": 25})
        take(store, whole[:70], after=after)
        take(store, whole[70:], after=after)
    # The first day is complete; the second may still grow. The first bet is on a level not yet known.
    assert [status for status, _ in told(store)] == ["insufficient data"]
    for number in range(2, 6):
        take(store, day(number, selected={"f": 25, "m": 25}), after=after)
    ((status, n),) = told(store)
    assert status == "ok"
    assert n[0] == n[1]
    assert n[0] in (200, 250)  # five days, without the first where no bet was placed on it
    late = [decision(f"late{i}", time=DAY, decision=0) for i in range(40)]
    take(store, late, after=after)
    assert told(store) == [("ok", n)]


def test_unequal_rates_raise_an_alert_that_is_answered(store: Store) -> None:
    client = TestClient(create_app(Settings(store, policy=POLICY)), base_url=HERE)
    made = keys.create(store, "k", ["ingest", "read", "act"])
    client.headers["Authorization"] = f"Bearer {made.text}"
    for number in range(12):
        batch = [
            e.model_dump(mode="json", exclude_none=True) for e in day(number, selected={"f": 10, "m": 40})
        ]
        assert client.post("/v1/events", json=batch).status_code == 200
    (one,) = client.get("/v1/alerts", params={"status": "alert"}).json()
    assert (one["groups"], one["lower"], one["use_case"], one["version"]) == (["f", "m"], "f", "loans", "1")
    where = f"/v1/alerts/{one['id']}/acknowledge"
    assert client.post(where, json={"note": " "}).status_code == 422
    assert client.post(where, json={"note": "\0"}).status_code == 422
    answered = client.post(where, json={"note": "Version 2 mends it."}).json()
    assert (answered["status"], answered["number"]) == ("insufficient data", one["number"] + 1)
    assert (answered["acknowledged_by"], answered["note"]) == ("key:k", "Version 2 mends it.")
    assert client.post(where, json={"note": "Again."}).status_code == 422
    assert client.post("/v1/alerts/99/acknowledge", json={"note": "x"}).status_code == 404
    assert client.get("/v1/alerts", params={"status": "alert"}).json() == []


def test_who_does_not_see_the_use_case_sees_no_alert_of_it(store: Store) -> None:
    after = watching.Watcher(POLICY).after
    for number in range(12):
        take(store, day(number, selected={"f": 10, "m": 40}), after=after)
    client = TestClient(create_app(Settings(store)), base_url=HERE)
    other = keys.create(store, "k", ["read", "act"], use_cases=["jobs"])
    client.headers["Authorization"] = f"Bearer {other.text}"
    assert client.get("/v1/alerts").json() == []
    number = watching.listed(store, EVERYBODY)[0].id
    assert client.post(f"/v1/alerts/{number}/acknowledge", json={"note": "x"}).status_code == 404


def test_a_policy_that_cannot_be_counted_is_refused() -> None:
    wrong = parse_policy('[[rule]]\nindicator = "dpd"\nattribute = "sex"\ntolerance = {gap = 0.1}')
    with pytest.raises(BadData, match="no share by group"):
        watching.check(wrong)


def test_intersections_enter_in_the_order_of_the_rule(store: Store) -> None:
    policy = parse_policy(
        'minimum = 1\n[[rule]]\nindicator = "selection_rate"\nattribute = ["sex", "age"]\n'
        "tolerance = {gap = 0.1}"
    )
    after = watching.Watcher(policy).after
    for number in range(3):
        people = [
            decision(
                f"{number}-{age}", time=DAY + timedelta(days=number), attributes={"sex": "f*", "age": age}
            )
            for age in ("old", "young")
        ]
        take(store, people, after=after)
    assert [one.groups for one in watching.listed(store, EVERYBODY)] == [("f* x old", "f* x young")]


def test_the_last_day_is_judged_by_the_clock_when_it_is_over_and_quiet(store: Store) -> None:
    """Two days of long ago, stored now: the second is whole two hours after it came in, and not before."""
    watcher, now = watching.Watcher(POLICY), utc_now()
    fair = {"f": 25, "m": 25}
    for number in range(2):
        take(store, day(number, selected=fair), after=watcher.after)
    minutes = [0, 119, 121, 122, 600]
    found = [watcher.by_clock(store, now + timedelta(minutes=at)) for at in minutes]
    assert found == [False, False, True, False, False]
    assert [n for _, n in told(store)] == [(50, 50)]  # of the first day only the level is learnt
    take(store, day(1, selected=fair, people="late"), after=watcher.after)
    assert [n for _, n in told(store)] == [(50, 50)]


def test_today_is_not_judged_by_the_clock(store: Store) -> None:
    watcher = watching.Watcher(POLICY)
    noon = utc_now().replace(hour=12, minute=0)
    today = [event.model_copy(update={"time": noon}) for event in day(0, selected={"f": 25, "m": 25})]
    take(store, today, after=watcher.after)
    midnight = noon.replace(hour=0) + timedelta(days=1)
    hours = [-1, 1.9, 2.1]
    found = [watcher.by_clock(store, midnight + timedelta(hours=at)) for at in hours]
    assert found[:1] == [False]
    # Stored in this minute: within two hours of midnight it is not quiet before two hours after this minute.
    assert found[1:] == [False, utc_now() + timedelta(hours=2) <= midnight + timedelta(hours=2.1)]


def test_days_that_ripen_without_another_event_are_judged_by_the_clock(store: Store) -> None:
    slow = POLICY.model_copy(
        update={"rules": tuple(r.model_copy(update={"maturity_days": 400.0}) for r in POLICY.rules)}
    )
    watcher = watching.Watcher(slow)
    for number in range(3):
        take(store, day(number, selected={"f": 25, "m": 25}), after=watcher.after)
    assert told(store) == []
    end = DAY.replace(hour=0) + timedelta(days=403)  # 400 days after the end of the third day
    days = [-3, -2, -2, -1, 0, 9]
    found = [watcher.by_clock(store, end + timedelta(days=at, hours=3)) for at in days]
    assert found == [False, True, False, True, True, False]
