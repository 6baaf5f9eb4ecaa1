"""The client sends everything once, waits as it is told, drops with a count, and breaks nothing."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading

import httpx
import pytest

from evenhand.monitor import AsyncClient, Client
from evenhand.monitor.buffering import Counts, Limits, Pace, retry_after

QUICK = Limits(batch=4, wait=0.01, first=0.001, longest=0.002, closing=2.0)
URL = "http://monitor"


class Service:
    """Keeps events by their ids; the first answers can be others."""

    def __init__(self, *first: int | Exception, wrong: str = "") -> None:
        self.first, self.wrong = list(first), wrong
        self.held: dict[str, dict] = {}
        self.sizes: list[int] = []
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer key"
        batch = json.loads(request.content)
        self.sizes.append(len(batch))
        self.paths.append(request.url.path)
        if self.first:
            answer = self.first.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return httpx.Response(answer)
        if any(event["prediction_id"] == self.wrong for event in batch):
            return httpx.Response(422)
        self.held.update({event["prediction_id"]: event for event in batch})
        return httpx.Response(200)


def _client(service: Service, limits: Limits = QUICK) -> Client:
    return Client(URL, "key", limits, transport=httpx.MockTransport(service))


def test_everything_is_sent_in_batches_and_labels_elsewhere() -> None:
    service = Service()
    with _client(service) as client:
        for number in range(10):
            assert client.send(prediction_id=f"{number}", model="m", decision=1)
        assert client.label("3", 0)
        assert client.flush()
        assert client.counts == Counts(sent=11)
    assert max(service.sizes) <= 4
    assert service.paths[-1] == "/v1/labels"
    assert service.held.keys() == {f"{number}" for number in range(10)}
    assert service.held["0"]["time"].endswith("+00:00")


def test_it_tries_again_and_nothing_is_lost() -> None:
    service = Service(503, httpx.ConnectError("down"), 429, httpx.ReadTimeout("slow"))
    with _client(service) as client:
        client.send(prediction_id="a", model="m", decision=1)
        assert client.flush()
        assert client.counts == Counts(sent=1)
    assert service.sizes == [1] * 5


def test_after_enough_tries_the_batch_is_dropped_and_counted() -> None:
    service = Service(*[503] * 100)
    with _client(service, Limits(wait=0.01, first=0.001, longest=0.001, tries=3)) as client:
        client.send(prediction_id="a", model="m", decision=1)
        assert client.flush()
        assert client.counts == Counts(dropped=1)
    assert service.sizes == [1, 1, 1]


def test_one_wrong_event_does_not_hold_up_the_others() -> None:
    service = Service(wrong="2")
    with _client(service, Limits(batch=8, wait=5)) as client:
        for number in range(8):
            client.send(prediction_id=f"{number}", model="m", decision=1)
        assert client.flush()
        assert client.counts == Counts(sent=7, refused=1)
    # 8, then halves of what is refused: 4 (0-3), 2 (0, 1 sent), 2, 1 (wrong), 1, and 4 (4-7)
    assert service.sizes == [8, 4, 2, 2, 1, 1, 4]


def test_a_wrong_key_is_refused_without_trying_again() -> None:
    service = Service(401)
    with _client(service) as client:
        client.send(prediction_id="a", model="m", decision=1)
        assert client.flush()
        assert client.counts == Counts(refused=1)
    assert service.sizes == [1]


def test_memory_is_bounded_and_dropping_is_counted() -> None:
    gate = threading.Event()

    def held(_: httpx.Request) -> httpx.Response:
        gate.wait(10)
        return httpx.Response(200)

    client = Client(URL, "key", Limits(batch=2, buffer=5, wait=0.001), transport=httpx.MockTransport(held))
    kept = [client.send(prediction_id=f"{n}", model="m", decision=1) for n in range(9)]
    assert kept == [True] * 5 + [False] * 4
    gate.set()
    assert client.close() == Counts(sent=5, dropped=4)
    assert not client.send(prediction_id="late", model="m", decision=1)


@pytest.mark.parametrize("value", [float("nan"), object(), "x" * 70_000])
def test_what_cannot_be_sent_breaks_nothing(value: object) -> None:
    service = Service()
    with _client(service) as client:
        assert not client.send(prediction_id="a", model="m", score=value)
        assert client.counts == Counts(refused=1)
    assert service.sizes == []


def test_the_pause_grows_and_heeds_retry_after() -> None:
    pace = Pace(Limits(first=1, longest=60, tries=4))
    first, second = pace.after(None), pace.after(None)
    assert first is not None
    assert second is not None
    assert 0.5 <= first <= 1
    assert 1 <= second <= 2
    assert pace.after(httpx.Response(429, headers={"Retry-After": "30"})) == 30
    assert pace.after(None) is None  # the fourth of 4
    assert retry_after(httpx.Response(503, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})) > 1e6
    assert retry_after(httpx.Response(503, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"})) == 0
    for text in ("soon", "-3", ""):
        assert retry_after(httpx.Response(503, headers={"Retry-After": text})) == 0


def test_a_program_that_ends_sends_what_waits() -> None:
    program = """
import httpx
from evenhand.monitor import Client
from evenhand.monitor.buffering import Limits
def answer(request):
    print(request.content.decode().count("prediction_id"), flush=True)
    return httpx.Response(200)
client = Client("http://monitor", "key", Limits(wait=60), transport=httpx.MockTransport(answer))
for n in range(3):
    client.send(prediction_id=str(n), model="m", decision=1)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"


def test_a_program_ends_though_the_service_is_not_there() -> None:
    program = """
from evenhand.monitor import Client
from evenhand.monitor.buffering import Limits
client = Client("http://127.0.0.1:1", "key", Limits(wait=0.01, closing=0.2))
client.send(prediction_id="a", model="m", decision=1)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    assert "1 events were dropped" in done.stderr


def test_async() -> None:
    service = Service(503, wrong="2")
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    async def work() -> Counts:
        own = AsyncClient(URL, "key", QUICK, transport=httpx.MockTransport(service), sleep=sleep)
        async with own as client:
            for number in range(6):
                assert client.send(prediction_id=f"{number}", model="m", decision=1)
            await asyncio.sleep(0)
            client.label("0", 1)
        assert not client.send(prediction_id="late", model="m", decision=1)
        return client.counts

    assert asyncio.run(work()) == Counts(sent=6, refused=1)
    assert service.held.keys() == {"0", "1", "3", "4", "5"}
    assert len(pauses) >= 2  # before the first batch, and after the 503


def test_async_outside_a_loop_drops_and_says_so() -> None:
    client = AsyncClient(URL, "key")
    assert not client.send(prediction_id="a", model="m", decision=1)
