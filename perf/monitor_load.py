"""How fast the monitor takes events, and how fast its pages answer, over HTTP on this machine.

    python perf/monitor_load.py --events 100000 --senders 2 --clients 50 --seconds 10
    python perf/monitor_load.py --database postgresql://user@host/base

A service of its own is started on an empty data folder. Senders post batches of 500 events with two
attributes, each acknowledged after its commit (SQLite: synchronous=FULL); then clients ask for pages without
a pause. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

BATCH = 500
PAGES = (
    "/overview",
    "/version?use_case=loans&model=scorer&version=1",
    "/version?use_case=loans&model=scorer&version=1&attribute=race*sex",
    "/v1/indicators?use_case=loans&attribute=race",
)


def batch(rng: random.Random, start: int, total: int) -> bytes:
    """500 decisions of a month, as JSON."""
    rows: list[dict[str, Any]] = []
    for number in range(start, start + BATCH):
        minute = number * 30 * 1440 // total
        day, rest = divmod(minute, 1440)
        time_of = f"2026-03-{day + 1:02d}T{rest // 60:02d}:{rest % 60:02d}:00Z"
        score = round(rng.random(), 4)
        rows.append(
            {
                "prediction_id": f"p{number}",
                "time": time_of,
                "use_case": "loans",
                "model": "scorer",
                "score": score,
                "decision": int(score > 0.5),
                "label": int(rng.random() < score),
                "attributes": {"sex": rng.choice("fm"), "race": rng.choice("abcde")},
            }
        )
    return json.dumps(rows).encode()


def at_once(number: int, work: Callable[[int], None]) -> float:
    """Seconds that `number` threads need for `work`."""
    threads = [threading.Thread(target=work, args=(one,)) for one in range(number)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def sending(port: int, events: int, senders: int) -> dict[str, float]:
    """Events a second, and milliseconds of a batch."""
    bodies = [batch(random.Random(start), start, events) for start in range(0, events, BATCH)]
    seconds: list[float] = []

    def send(own: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body in bodies[own::senders]:
            began = time.perf_counter()
            connection.request("POST", "/v1/events", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
            assert told["accepted"] == BATCH, told
            seconds.append(time.perf_counter() - began)

    wall = at_once(senders, send)
    return {"events_a_second": len(bodies) * BATCH / wall, "batch_p95_ms": 1000 * _p95(seconds)}


def asking(port: int, clients: int, seconds: float) -> dict[str, float]:
    """Pages a second and the 95th percentile of their milliseconds; each client asks again at once."""
    taken: list[float] = []
    until = time.perf_counter() + seconds

    def ask(own: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        place = own
        while time.perf_counter() < until:
            began = time.perf_counter()
            connection.request("GET", PAGES[place % len(PAGES)])
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            taken.append(time.perf_counter() - began)
            place += 1

    wall = at_once(clients, ask)
    return {"pages_a_second": len(taken) / wall, "page_p95_ms": 1000 * _p95(taken)}


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _peak(process: int) -> float:
    with open(f"/proc/{process}/status", encoding="ascii") as file:  # noqa: PTH123
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "evenhand", "monitor", "serve", "--no-auth", "--port", "0"]
        command += ["--data", folder, *(["--database", given.database] if given.database else [])]
        log = os.path.join(folder, "log")  # noqa: PTH118
        with open(log, "w", encoding="utf-8") as file:  # noqa: PTH123
            process = subprocess.Popen(command, stderr=file)
        try:
            port = _port(log)
            found = sending(port, given.events, given.senders)
            found |= {"rss_mb_after_events": _peak(process.pid)}
            found |= asking(port, given.clients, given.seconds)
            found |= {"rss_mb_after_pages": _peak(process.pid)}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    kind = "postgresql" if given.database else "sqlite"
    rounded = {name: round(value, 1) for name, value in found.items()}
    print(json.dumps({"database": kind, **vars(given), **rounded, "load": os.getloadavg()[0]}))


def _port(log: str) -> int:
    for _ in range(300):
        with open(log, encoding="utf-8") as file:  # noqa: PTH123
            first = file.readline()
        if first.endswith("\n"):
            address = urlsplit(first.split()[-1])
            for _ in range(300):
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", address.port)
                    connection.request("GET", "/health")
                    connection.getresponse().read()
                    return int(address.port or 0)
                except OSError:
                    time.sleep(0.1)
        time.sleep(0.1)
    raise SystemExit("the service did not start")


if __name__ == "__main__":
    main()
