"""Probes run when they are due, once, on a server that answers as an endpoint does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from sqlalchemy import select

from evenhand.errors import BadOption, UnknownName
from evenhand.monitor import canaries, feedback
from evenhand.monitor.canaries import Asked, Found
from evenhand.monitor.periodic import Periodic
from evenhand.monitor.roles import EVERYBODY
from evenhand.monitor.store import Store
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.record_tables import probe_runs
from tests.support.data import data_file


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that always answers "She does.\""""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            choice = {"message": {"role": "assistant", "content": "She does."}, "finish_reason": "stop"}
            usage = {"completion_tokens": 2, "total_tokens": 5}
            body = json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"openai:http://127.0.0.1:{server.server_port}/v1#m"
    server.shutdown()
    server.server_close()


def test_a_reported_prompt_is_asked_again(store: Store, endpoint: str) -> None:
    given = {"prompt": "Who cooks?", "answer": "she DOES", "why": "w"}
    feedback.report(store, feedback.Reported(**given), "key:app")
    number = feedback.probe(store, EVERYBODY, 1, model=endpoint, allowed=[endpoint])
    assert canaries.run_due(store) == [number]
    (cell,) = canaries.cells(store, number)
    assert (cell.metric, cell.n, cell.value, cell.high) == ("unwanted answers", 5, 1.0, 1.0)
    # Clopper and Pearson's lower end of 5 of 5: (.05 / 2) ^ (1 / 5)
    assert cell.low == pytest.approx(0.025 ** (1 / 5))
    assert canaries.run_due(store) == []  # due again in a day


@pytest.fixture
def honest() -> None:
    """Skips where the benchmark's data are not on this machine."""
    for name in ("honest/binary/en_template.tsv", "hurtlex/hurtlex_EN.tsv"):
        data_file(name)


@pytest.mark.usefixtures("honest")
def test_a_benchmark_on_an_endpoint(store: Store, endpoint: str) -> None:
    number = canaries.add(store, "loans", Asked(endpoint, "honest", hours=24, limit=4))
    assert canaries.run_due(store) == [number]
    assert canaries.failures(store, number) == []
    found = canaries.cells(store, number)
    assert found
    assert all(cell.n <= 4 for cell in found)
    with store.reading() as connection:
        content = json.loads(connection.scalar(select(probe_runs.c.content)))
    assert (content["benchmark"], content["n"]) == ("honest", 4)
    assert {cell.metric for cell in found} == set(content["metrics"])


def test_what_is_due_runs_by_itself_until_it_is_stopped(store: Store, endpoint: str) -> None:
    feedback.report(store, feedback.Reported(prompt="Who?", answer="she does", why="w"), "key:app")
    number = feedback.probe(store, EVERYBODY, 1, model=endpoint, allowed=[endpoint])
    scheduler = Periodic("canaries", lambda: canaries.run_due(store), every=0.02)
    scheduler.start()
    deadline = time.monotonic() + 60
    while not canaries.cells(store, number) and time.monotonic() < deadline:
        time.sleep(0.02)
    scheduler.stop(60)
    assert canaries.cells(store, number)


@pytest.mark.usefixtures("honest")
def test_a_failure_is_kept_and_no_figure(store: Store) -> None:
    number = canaries.add(
        store, "loans", Asked("openai:http://127.0.0.1:9/v1?retries=0#m", "honest", limit=2)
    )

    def broken(_: canaries.Probe) -> Found:
        raise ValueError("a text of somebody")

    canaries.run_due(store, measure=broken)
    ((_, why),) = canaries.failures(store, number)
    assert why == "ValueError"
    assert canaries.cells(store, number) == []


@pytest.mark.usefixtures("honest")
def test_figures_of_a_day_are_those_of_its_last_run(store: Store, endpoint: str) -> None:
    number = canaries.add(store, "loans", Asked(endpoint, "honest", hours=1))
    values = iter([0.25, 0.5, 0.75])
    now = utc_now().replace(hour=10)
    for hours in (0.0, 1.5, 24.0):
        time = now + timedelta(days=1, hours=hours)
        assert canaries.run_due(
            store, measure=lambda _: Found({}, {"share": (8, next(values), None, None)}), now=time
        ) == [number]
    assert [(c.day - now.date(), c.value) for c in canaries.cells(store, number)] == [
        (timedelta(days=1), 0.5),
        (timedelta(days=2), 0.75),
    ]


@pytest.mark.usefixtures("honest")
def test_of_two_services_one_runs_it(store: Store, endpoint: str) -> None:
    number = canaries.add(store, "loans", Asked(endpoint, "honest"))
    (probe,) = canaries.listed(store, EVERYBODY)
    time = utc_now()
    claims = [store.write(lambda c: canaries._claimed(c, probe, time)) for _ in range(2)]
    assert claims == [True, False]
    canaries.stop(store, number)
    assert canaries.listed(store, EVERYBODY) == []
    assert canaries.run_due(store, now=time + timedelta(days=9)) == []


@pytest.mark.usefixtures("honest")
def test_what_cannot_be_scheduled_is_refused(store: Store, endpoint: str) -> None:
    with pytest.raises(BadOption, match="holds a user name or a password"):
        canaries.add(store, "loans", Asked("openai:http://me:secret@127.0.0.1:9/v1#m", "counterfactual"))
    with pytest.raises(BadOption, match="no endpoint"):
        canaries.add(store, "loans", Asked("lab:causal", "honest"))
    with pytest.raises(UnknownName, match="no benchmark named 'honesty'"):
        canaries.add(store, "loans", Asked(endpoint, "honesty"))
    with pytest.raises(BadOption, match="every 0 hours"):
        canaries.add(store, "loans", Asked(endpoint, "honest", hours=0))
