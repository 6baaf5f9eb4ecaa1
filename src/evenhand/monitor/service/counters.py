"""Counters for Prometheus, in its text format."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


class Counters:
    """Requests by route and status, their seconds, and what became of events."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._bins: Counter[int] = Counter()
        self._seconds = 0.0
        self._events: Counter[str] = Counter()
        self._signed_on: Counter[str] = Counter()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is the pattern of its address."""
        with self._lock:
            self._requests[method, route, status] += 1
            self._bins[bisect_left(SECONDS, seconds)] += 1
            self._seconds += seconds

    def events(self, **outcomes: int) -> None:
        """Count events by what became of them."""
        with self._lock:
            self._events.update(outcomes)

    def signed_on(self, outcome: str) -> None:
        """Count a request with a header of single sign-on by what became of that."""
        with self._lock:
            self._signed_on[outcome] += 1

    def text(self) -> str:
        """Everything, in the text format of Prometheus."""
        with self._lock:
            requests, bins = sorted(self._requests.items()), dict(self._bins)
            seconds, events, signed_on = self._seconds, dict(self._events), dict(self._signed_on)
        lines = [
            "# HELP evenhand_requests_total Requests answered.",
            "# TYPE evenhand_requests_total counter",
        ]
        for (method, route, status), n in requests:
            labels = f'method="{method}",route="{_quoted(route)}",status="{status}"'
            lines.append(f"evenhand_requests_total{{{labels}}} {n}")
        lines += [
            "# HELP evenhand_request_seconds Seconds until the answer.",
            "# TYPE evenhand_request_seconds histogram",
        ]
        total = 0
        for place, end in enumerate((*map(str, SECONDS), "+Inf")):
            total += bins.get(place, 0)
            lines.append(f'evenhand_request_seconds_bucket{{le="{end}"}} {total}')
        lines += [
            f"evenhand_request_seconds_sum {round(seconds, 6)}",
            f"evenhand_request_seconds_count {total}",
        ]
        about = "Events and labels by what became of them."
        told = _by_label("counter", "evenhand_events_total", about, "outcome", events)
        if signed_on:
            about = "Requests with a header of single sign-on by what became of it."
            told += _by_label("counter", "evenhand_single_sign_on_total", about, "outcome", signed_on)
        return "\n".join(lines) + "\n" + told


def gauge(name: str, about: str, label: str, values: Mapping[str, int]) -> str:
    """Numbers as they are now, by a label, in the text format of Prometheus."""
    return _by_label("gauge", name, about, label, values)


def _by_label(kind: str, name: str, about: str, label: str, values: Mapping[str, int]) -> str:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    lines += [f'{name}{{{label}="{_quoted(key)}"}} {n}' for key, n in sorted(values.items())]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
