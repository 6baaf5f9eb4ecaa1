"""The API of ingestion, its refusals, and who may use it."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from evenhand.monitor import keys
from evenhand.monitor.service import limits
from evenhand.monitor.service.counters import Counters
from evenhand.monitor.service.guard import Guard
from evenhand.monitor.service.settings import Settings
from tests.monitor import replicas
from tests.monitor.conftest import HERE
from tests.monitor.made import raw
from tests.monitor.replicas import create_app

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def test_a_batch_is_taken_once(client, bearer) -> None:
    batch = [raw("a", label=1), raw("b")]
    answer = client.post("/v1/events", json=batch, headers=bearer)
    assert (answer.status_code, answer.json()) == (
        200,
        {"accepted": 2, "duplicates": 0, "labels": 1, "waiting": 0, "conflicting": 0},
    )
    assert client.post("/v1/events", json=batch, headers=bearer).json()["duplicates"] == 2
    late = [{"prediction_id": "b", "use_case": "loans", "label": 0}]
    assert client.post("/v1/labels", json=late, headers=bearer).json()["labels"] == 1


def test_what_came_in_is_counted(client, store, bearer) -> None:
    for name in ("a", "b"):
        sent = client.post("/v1/events", json=[raw(name), raw(f"{name}2")], headers=bearer)
        assert sent.json()["accepted"] == 2
    pages = (client.get("/metrics", headers=bearer).text for _ in range(replicas.number(store)))
    counts = re.findall(r'^evenhand_events_total{outcome="accepted"} (\d+)$', "\n".join(pages), re.MULTILINE)
    assert sum(map(int, counts)) == 4  # each replica counts what it took


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decision": 2}, "[1].decision: input should be 0 or 1"),
        ({"score": 1.5}, "[1].score: input should be less than or equal to 1"),
        ({"time": "2026-01-01T00:00:00"}, "[1].time: input should have timezone info"),
        ({"model": "a\u0000b"}, "[1].model: control characters cannot be stored"),
        ({"attributes": {"a*b": "c"}}, "an attribute's name cannot hold '*'"),
        ({"decision": None}, "[1]: a decision has a score or a decision"),
        ({"refused": True}, 'belong to "kind": "generation"'),
        ({"sort": 1}, "[1].sort: extra inputs are not permitted"),
    ],
)
def test_a_wrong_event_is_named_and_nothing_of_the_batch_is_stored(client, bearer, change, said) -> None:
    answer = client.post("/v1/events", json=[raw("a"), {**raw("b"), **change}], headers=bearer)
    assert answer.status_code == 422
    assert said in answer.json()["error"]["what"]
    assert client.post("/v1/events", json=[raw("a")], headers=bearer).json()["accepted"] == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b'[{"score": NaN}]', b'"\\ud800"', b"\xff", b"9" * 5000]
)
def test_no_body_breaks_the_service(client, bearer, body) -> None:
    answer = client.post("/v1/events", content=body, headers={**bearer, "Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert set(answer.json()["error"]) == {"what", "mend"}


def test_only_keys_of_the_scope_and_the_use_case_may_send(client, store) -> None:
    def code(given: dict[str, str]) -> int:
        return client.post("/v1/events", json=[raw("a")], headers=given).status_code

    def key(*scopes: str, **about) -> dict[str, str]:
        return {"Authorization": f"Bearer {keys.create(store, 'k', scopes, **about).text}"}

    assert code({}) == 401
    assert code({"Authorization": "Bearer evh_wrong"}) == 401
    assert code({"Authorization": "Basic eDp5"}) == 401
    assert code(key("read")) == 403
    assert code(key("ingest", use_cases=["jobs"])) == 403
    assert code(key("ingest", use_cases=["loans"])) == 200
    ended = keys.create(store, "k", ["ingest"])
    keys.revoke(store, ended.key.id)
    assert code({"Authorization": f"Bearer {ended.text}"}) == 401


def test_a_key_that_has_expired_is_refused(client, store, monkeypatch) -> None:
    from datetime import timedelta

    made = keys.create(store, "k", ["ingest"], days=1)
    later = keys.utc_now() + timedelta(days=1)
    monkeypatch.setattr(keys, "utc_now", lambda: later)
    answer = client.post("/v1/events", json=[raw("a")], headers={"Authorization": f"Bearer {made.text}"})
    assert (answer.status_code, "is expired" in answer.text) == (401, True)


def test_large_bodies_and_many_requests_are_refused(store, bearer, monkeypatch) -> None:
    # A slow machine would else have more seconds to wait for, or have earned a request already.
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    app = create_app(Settings(store, body_limit=1000, per_second=0.01, burst=3))
    client = TestClient(app, base_url=HERE)
    headers = {**bearer, "Content-Type": "application/json"}
    assert client.post("/v1/events", content=b" " * 1001, headers=headers).status_code == 413
    chunked = client.post("/v1/events", content=(b" " * 100 for _ in range(11)), headers=headers)
    assert (chunked.status_code, "larger than 1000 bytes" in chunked.text) == (413, True)
    burst = 3 * replicas.number(store)  # each replica counts for itself
    codes = [client.get("/metrics", headers=bearer) for _ in range(burst + 1)]
    assert [one.status_code for one in codes] == [200] * burst + [429]
    assert codes[-1].headers["Retry-After"] == "100"  # one request in 100 seconds


class Sender:
    """A client that sends a body of `parts` pieces of 100 bytes, and what it hears."""

    def __init__(self, parts: int, headers: dict[str, str]) -> None:
        given = {"host": "127.0.0.1", **headers}
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/events",
            "headers": [(name.encode(), text.encode()) for name, text in given.items()],
        }
        self.left, self.heard = parts, []

    async def receive(self) -> dict[str, object]:
        assert self.left, "nothing more comes: this would wait"
        self.left -= 1
        return {"type": "http.request", "body": b" " * 100, "more_body": self.left > 0}

    async def send(self, message: dict[str, object]) -> None:
        self.heard.append((self.left, message))

    def answered(self, app: ASGIApp) -> tuple[int, int, bool]:
        """The code, the pieces that were not read before it, and whether the connection is closed."""
        asyncio.run(app(self.scope, self.receive, self.send))
        left, start = self.heard[0]
        return start["status"], left, (b"connection", b"close") in start["headers"]


@pytest.mark.parametrize(
    ("parts", "headers", "left", "closed"),
    [
        (20, {"content-length": "2000"}, 0, False),
        (20, {"transfer-encoding": "chunked"}, 0, False),
        (20, {"content-length": "2000", "expect": "100-continue"}, 20, True),  # it sends nothing before
        (20, {"transfer-encoding": "chunked", "expect": "100-continue"}, 0, False),  # it was told to go on
        (90, {"content-length": "9000"}, 90, True),
        (90, {"transfer-encoding": "chunked"}, 38, True),
        (11, {"transfer-encoding": "chunked"}, 0, False),  # the piece that is too much is the last one
    ],
)
def test_who_sends_too_much_hears_so_before_the_connection_ends(store, parts, headers, left, closed) -> None:
    guard = Guard(reading, Settings(store, body_limit=1000), Counters())
    assert Sender(parts, headers).answered(guard) == (413, left, closed)


async def reading(scope, receive, send) -> None:
    """A service that reads the whole body."""
    while (await receive())["more_body"]:
        pass


def test_neither_keys_nor_texts_are_in_the_log(client, store, caplog) -> None:
    caplog.set_level("DEBUG")
    made = keys.create(store, "k", ["ingest"])
    event = {**raw("a"), "kind": "generation", "prompt": "canary-text", "answer": "canary-text"}
    del event["decision"]
    for body in ([event], [{**event, "time": "canary-text"}]):
        client.post("/v1/events", json=body, headers={"Authorization": f"Bearer {made.text}"})
    client.post("/v1/events", json=[], headers={"Authorization": "Bearer canary-text"})
    assert "POST /v1/events" in caplog.text
    assert "canary-text" not in caplog.text
    assert made.text not in caplog.text
    assert made.text not in repr(made)
