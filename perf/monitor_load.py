"""How fast the monitor takes events, how fast its pages answer meanwhile and after, and what memory it holds.

    python -m perf.monitor_load --events 1000000 --clients 50 --seconds 30
    python -m perf.monitor_load --events 100000 --soak 600
    python -m perf.monitor_load --database postgresql://user@host/base

A service of its own is started on an empty data folder, or on the empty database that is named. Senders post
batches of 500 events with two attributes, each acknowledged after its commit (SQLite: synchronous=FULL;
PostgreSQL: as its server commits). Then people, who are logged in, ask for pages without a pause. A soak is
both at once for `--soak` seconds: senders that wait so that `--rate` events a second come in, and people who
wait a second after each page. Everything runs on this machine, so that the senders and the people take part
of its processors. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from evenhand.monitor import keys, users
from evenhand.monitor.store import open_store

BATCH = 500
PASSWORD = "correct horse battery staple"  # of a service that lasts for minutes
PAGES = (
    "/overview",
    "/version?use_case=loans&model=scorer&version=1",
    "/version?use_case=loans&model=scorer&version=1&attribute=race*sex",
    "/version.json?use_case=loans&model=scorer&version=1&attribute=race",
)


@dataclass
class Service:
    """A service that runs, a key that may send events, and the sessions of people who may read."""

    port: int
    process: int
    key: str
    sessions: Sequence[str]

    def held(self) -> float:
        """Its resident memory in MB."""
        with Path(f"/proc/{self.process}/status").open(encoding="ascii") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


@contextlib.contextmanager
def service(database: str, people: int, folder: str) -> Iterator[Service]:
    """A service with so many people, on `database` or, without one, on SQLite in `folder`."""
    with contextlib.closing(open_store(Path(folder), database or None)) as store:
        key = keys.create(store, "load", ["ingest"]).text
        for number in range(people):
            users.add(store, f"person{number}", PASSWORD, "viewer")
    log = Path(folder) / "log"
    command = [sys.executable, "-m", "evenhand", "monitor", "serve", "--port", "0", "--data", folder]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen([*command, *(["--database", database] if database else [])], stderr=file)
    try:
        port = _port(log)
        yield Service(port, process.pid, key, [_logged_in(port, f"person{i}") for i in range(people)])
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text(encoding="utf-8")


def _port(log: Path) -> int:
    """The port of a service that answers."""
    for _ in range(600):
        first, end, _ = log.read_text(encoding="utf-8").partition("\n")
        if end:
            port = urlsplit(first.split()[-1]).port or 0
            with contextlib.suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request("GET", "/health")
                connection.getresponse().read()
                return port
        time.sleep(0.1)
    raise SystemExit("the service did not start")


def _logged_in(port: int, name: str) -> str:
    """The cookie of a new session."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"}
    connection.request("POST", "/login", urlencode({"name": name, "password": PASSWORD}), form)
    answer = connection.getresponse()
    assert answer.status == 303, answer.read()
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


def batch(start: int, total: int) -> bytes:
    """500 decisions of a month that has `total` of them, as JSON."""
    rng, rows = random.Random(start), []
    for number in range(start, start + BATCH):
        minute = number % total * 30 * 1440 // total
        day, rest = divmod(minute, 1440)
        score = round(rng.random(), 4)
        row: dict[str, Any] = {
            "prediction_id": f"p{number}",
            "time": f"2026-03-{day + 1:02d}T{rest // 60:02d}:{rest % 60:02d}:00Z",
            "use_case": "loans",
            "model": "scorer",
            "score": score,
            "decision": int(score > 0.5),
            "label": int(rng.random() < score),
            "attributes": {"sex": rng.choice("fm"), "race": rng.choice("abcde")},
        }
        rows.append(row)
    return json.dumps(rows).encode()


@dataclass
class Times:
    """Seconds of each answer, of one kind."""

    each: list[float] = field(default_factory=list)

    def ask(
        self,
        connection: http.client.HTTPConnection,
        headers: dict[str, str],
        method: str,
        path: str,
        body: bytes | None = None,
    ) -> bytes:
        """The body of a good answer."""
        began = time.perf_counter()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body[:200])
        self.each.append(time.perf_counter() - began)
        return body

    def p95(self) -> float:
        """The 95th percentile in milliseconds."""
        return 1000 * statistics.quantiles(self.each, n=20)[-1]


def at_once(workers: Sequence[Callable[[], None]]) -> float:
    """Seconds that threads need for their work; an error of one of them is raised when all have ended."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(workers)) as pool:
        running = [pool.submit(work) for work in workers]
    for one in running:
        one.result()
    return time.perf_counter() - began


def sender(service: Service, bodies: Iterator[bytes], times: Times, pause: Callable[[], None]) -> None:
    """Post each batch, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {service.key}"}
    for body in bodies:
        told = json.loads(times.ask(connection, headers, "POST", "/v1/events", body))
        assert told["accepted"] == BATCH, told
        pause()


def person(service: Service, own: int, times: Times, until: float, pause: float) -> None:
    """Look at one page after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    for place in count(own):
        if time.perf_counter() >= until:
            return
        times.ask(connection, {"Cookie": service.sessions[own]}, "GET", PAGES[place % len(PAGES)])
        time.sleep(pause)


def people(service: Service, times: Times, until: float, *, pause: float) -> list[Callable[[], None]]:
    """What each person does until then."""
    return [partial(person, service, own, times, until, pause) for own in range(len(service.sessions))]


def sending(service: Service, events: int, senders: int) -> dict[str, float]:
    """Events a second, and milliseconds of a batch."""
    bodies = [batch(start, events) for start in range(0, events, BATCH)]
    times = Times()
    parts = [iter(bodies[own::senders]) for own in range(senders)]
    wall = at_once([partial(sender, service, part, times, lambda: None) for part in parts])
    return {"events_a_second": len(bodies) * BATCH / wall, "batch_p95_ms": times.p95()}


def asking(service: Service, seconds: float) -> dict[str, float]:
    """Pages a second and the 95th percentile of their milliseconds; each person asks again at once."""
    times, until = Times(), time.perf_counter() + seconds
    wall = at_once(people(service, times, until, pause=0.0))
    return {"pages_a_second": len(times.each) / wall, "page_p95_ms": times.p95()}


def soaked(service: Service, seconds: float, rate: float, first: int) -> dict[str, float]:
    """Events and pages at once, and the memory held after a third of the time and in the end.

    The events are new ones, from number `first` on.
    """
    sent, asked, memory = Times(), Times(), []
    began = time.perf_counter()
    until = began + seconds

    def bodies() -> Iterator[bytes]:
        for number in count():
            if time.perf_counter() >= until:
                return
            yield batch(first + number * BATCH, 1_000_000)

    def in_time() -> None:
        time.sleep(max(0.0, began + len(sent.each) * BATCH / rate - time.perf_counter()))

    def watch() -> None:
        while time.perf_counter() < until:
            memory.append(service.held())
            time.sleep(seconds / 100)

    looking = people(service, asked, until, pause=1.0)
    at_once([partial(sender, service, bodies(), sent, in_time), watch, *looking])
    third = len(memory) // 3
    early, late = memory[third : third + 5], memory[-5:]
    return {
        "soak_events": len(sent.each) * BATCH,
        "soak_pages": len(asked.each),
        "soak_batch_p95_ms": sent.p95(),
        "soak_page_p95_ms": asked.p95(),
        "soak_rss_mb_after_a_third": statistics.median(early),
        "soak_rss_mb_at_the_end": statistics.median(late),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--soak", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=2000.0)
    given = parser.parse_args()
    if given.events < 2 * BATCH:
        parser.error(f"--events {given.events}: a 95th percentile needs two batches, --events {2 * BATCH}.")
    with (
        tempfile.TemporaryDirectory() as folder,
        service(given.database, given.clients, folder) as running,
    ):
        found = sending(running, given.events, given.senders)
        found |= {"rss_mb_after_events": running.held()}
        found |= asking(running, given.seconds)
        found |= {"rss_mb_after_pages": running.held()}
        if given.soak:
            found |= soaked(running, given.soak, given.rate, given.events)
    kind = "postgresql" if given.database else "sqlite"
    rounded = {name: round(value, 1) for name, value in found.items()}
    print(json.dumps({**vars(given), "database": kind, **rounded, "load": round(os.getloadavg()[0], 1)}))


if __name__ == "__main__":
    main()
