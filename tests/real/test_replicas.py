"""Two services on one PostgreSQL: what one is told the other knows, and nothing happens twice."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from evenhand.monitor import chain, keys, users, watching
from evenhand.monitor.ingest import take
from evenhand.monitor.policy import parse_policy
from evenhand.monitor.roles import EVERYBODY
from evenhand.monitor.rollups import COUNTS
from evenhand.monitor.store import Store, open_store, tables
from tests.monitor.conftest import database, postgres  # noqa: F401 - fixtures
from tests.monitor.made import DAY, decision
from tests.monitor.receiving import Hook, hook
from tests.real.monitored import started, wait

pytestmark = [pytest.mark.real, pytest.mark.postgres]
DAYS, PEOPLE, SHARED = 10, 60, 20
LOOK = 5  # seconds between two looks of a service for messages
REFUSED_WITHIN = 1.0  # seconds, as docs/operations.md says: a key is looked up with every request
POLICY = """
name = "replicas"
minimum = 50
notify = ["{address}"]

[[rule]]
indicator = "selection_rate"
attribute = "sex"
tolerance = {{ratio = 0.8}}
"""


def asked(address: str, path: str, key: str, body: Any = None) -> tuple[int, Any]:
    """The status and what was answered, to a GET or, with a body, a POST."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def people(day: int) -> list[Any]:
    """A day's decisions: of 30 women 6 are selected, of 30 men 18."""
    return [
        decision(
            f"{day}-{number}",
            time=DAY + timedelta(days=day),
            decision=int(number % 30 < (6 if number < 30 else 18)),
            attributes={"sex": "f" if number < 30 else "m"},
        )
        for number in range(PEOPLE)
    ]


def halves(day: int) -> tuple[list[Any], list[Any]]:
    """What each service is sent of a day; some people are sent to both."""
    every = [one.model_dump(mode="json", exclude_none=True) for one in people(day)]
    middle = PEOPLE // 2
    return every[: middle + SHARED // 2], every[middle - SHARED // 2 :]


def stated(store: Store) -> list[tuple[Any, ...]]:
    return [(one.status, one.number, one.n, one.x, one.why) for one in watching.listed(store, EVERYBODY)]


def waited(hook: Hook, number: int) -> Counter[str]:
    """The messages by what they say, once there are `number`, and both services have looked twice since."""
    for _ in range(200):
        if len(hook.got) >= number:
            break
        time.sleep(0.1)
    time.sleep(2 * LOOK + 1)
    return Counter(json.loads(body)["change"] for _, body in hook.got)


def test_two_services_are_one(database, tmp_path) -> None:  # noqa: F811
    secret = secrets.token_hex(32)
    with hook() as receiver, pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setenv("EVENHAND_MONITOR_SECRET", secret)
        policy = tmp_path / "policy.toml"
        policy.write_text(POLICY.format(address=receiver.address), encoding="utf-8")
        places = [tmp_path / "a", tmp_path / "b"]
        with contextlib.ExitStack() as running:
            # Both start on the empty database together: one makes the schema.
            same, own = ("--database", database, "--policy", str(policy)), {"EVENHAND_MONITOR_SECRET": secret}
            both = [
                running.enter_context(
                    started(*same, "--data", str(one), log=tmp_path / f"{one.name}.log", env=own)
                )
                for one in places
            ]
            list(pool.map(wait, both))
            store = open_store(tmp_path / "c", database)
            running.callback(store.close)
            key = keys.create(store, "app", ["ingest", "read", "act"]).text
            for day in range(DAYS):
                _one_day(pool, both, key, day)
            _the_same_as_one_alone(store, tmp_path)
            _answered_once(pool, both, key, receiver)
            _refused_by_the_other(both, store)
            assert chain.check(store) == []
            users.add(store, "ada", "correct horse battery", "viewer")
            _logged_in_at_both(both)


def _one_day(pool: ThreadPoolExecutor, both: list[str], key: str, day: int) -> None:
    """Both services are sent their halves at once, each twice, as by a client that got no answer."""
    jobs = [(place, part) for place, part in zip(both, halves(day), strict=True)] * 2
    done = list(pool.map(lambda job: asked(job[0], "/v1/events", key, job[1]), jobs))
    assert [code for code, _ in done] == [200] * 4, done
    assert sum(told["accepted"] for _, told in done) == PEOPLE
    assert sum(told["duplicates"] for _, told in done) == PEOPLE + 2 * SHARED


def _the_same_as_one_alone(store: Store, folder: Path) -> None:
    """Counts and alerts are those of one service that was sent everything once, in order."""
    alone = open_store(folder / "alone")
    watcher = watching.Watcher(parse_policy(POLICY.format(address="https://example.org/hook")))
    for day in range(DAYS):
        take(alone, people(day), after=watcher.after)
    assert stated(store) == stated(alone)
    assert [one[0] for one in stated(store)] == ["alert"]
    query = select(*(tables.cells.c[name] for name in ("day", *COUNTS)))
    with store.reading() as one, alone.reading() as other:
        counts = [sorted(map(tuple, connection.execute(query))) for connection in (one, other)]
    assert counts[0] == counts[1]
    alone.close()


def _answered_once(pool: ThreadPoolExecutor, both: list[str], key: str, receiver: Hook) -> None:
    """Of two who answer for an alert at once one does; everybody is told of each change once."""
    (alert,) = asked(both[0], "/v1/alerts?status=alert", key)[1]
    place = f"/v1/alerts/{alert['id']}/acknowledge"
    assert waited(receiver, 1) == {"opened": 1}
    done = pool.map(lambda one: asked(one, place, key, {"note": f"seen at {one}"})[0], both)
    assert sorted(done) == [200, 422]
    assert [asked(one, "/v1/alerts?status=alert", key)[1] for one in both] == [[], []]
    assert waited(receiver, 2) == {"opened": 1, "acknowledged": 1}


def _refused_by_the_other(both: list[str], store: Store) -> None:
    """A key that one service ends the other refuses with the next request."""
    made = keys.create(store, "sender", ["read"])
    ask = partial(asked, path="/v1/alerts", key=made.text)
    assert [ask(one)[0] for one in both] == [200, 200]
    keys.revoke(store, made.key.id)
    began = time.monotonic()
    assert [ask(one)[0] for one in both] == [401, 401]
    assert time.monotonic() - began < REFUSED_WITHIN


def _logged_in_at_both(both: list[str]) -> None:
    """A session that one service began the other knows, and one that ends at one has ended at the other."""
    import http.cookiejar
    from urllib.parse import urlencode

    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    form = urlencode({"name": "ada", "password": "correct horse battery"}).encode()
    browser.open(urllib.request.Request(f"{both[0]}/login", form, {"Origin": both[0]})).close()
    page = browser.open(f"{both[1]}/overview").read().decode()
    assert "<span>ada</span>" in page
    token = page.partition('name="token" value="')[2].partition('"')[0]
    ended = urllib.request.Request(
        f"{both[1]}/logout", urlencode({"token": token}).encode(), {"Origin": both[1]}
    )
    cookie = "; ".join(f"{one.name}={one.value}" for one in jar)
    browser.open(ended).close()
    again = urllib.request.Request(f"{both[0]}/overview.json", headers={"Cookie": cookie})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(again)
