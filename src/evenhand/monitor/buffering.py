"""What waits to be sent, and how long to wait between tries: shared by both clients."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any

import httpx

from evenhand.monitor.tally import Tally

EVENTS, LABELS = "/v1/events", "/v1/labels"
WEIGHT = 2**20  # bytes of a batch
LARGEST = 64 * 1024  # bytes of an event
ENDS = {"sent": "sent", "again": "dropped", "wrong": "refused", "refused": "refused"}
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Limits:
    """How a client sends.

    Attributes:
        batch: the most events of one request.
        buffer: the most events that wait; later ones are dropped and counted.
        wait: seconds that an event waits for others at most.
        tries: of one batch, before it is dropped.
        first, longest: seconds between tries: doubled each time, with chance, up to the longest.
        timeout: seconds of one request.
        closing: seconds at the end of the program.
    """

    batch: int = 500
    buffer: int = 10_000
    wait: float = 1.0
    tries: int = 8
    first: float = 0.5
    longest: float = 60.0
    timeout: float = 10.0
    closing: float = 5.0


@dataclass(frozen=True)
class Counts(Tally):
    """What became of events: how many were sent, wait, were dropped for want of room, or were refused."""

    sent: int = 0
    waiting: int = 0
    dropped: int = 0
    refused: int = 0


class Buffer:
    """Events and labels that wait, in order; bounded, and safe between threads."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self._lock = limits, threading.Lock()
        self._held: deque[tuple[str, str]] = deque()
        self.under_way: list[tuple[str, str]] = []
        self._counts = Counts()

    def put(self, path: str, item: Mapping[str, Any]) -> bool:
        """Whether there was room for `item`, which can be written as JSON."""
        try:
            text = json.dumps(item, allow_nan=False, default=_plain)
        except (TypeError, ValueError, RecursionError):
            text = ""
        with self._lock:
            if not text or len(text) > LARGEST:
                self._add(refused=1)
                return False
            if len(self._held) + len(self.under_way) >= self.limits.buffer:
                self._add(dropped=1)
                return False
            self._held.append((path, text))
            return True

    def take(self) -> list[tuple[str, str]]:
        """The next batch, all for one address; it is under way until `done`."""
        with self._lock:
            found: list[tuple[str, str]] = []
            size = 0
            while self._held and len(found) < self.limits.batch and size < WEIGHT:
                if found and self._held[0][0] != found[0][0]:
                    break
                found.append(self._held.popleft())
                size += len(found[-1][1])
            self.under_way = found
            return found

    def done(self, what: str, number: int) -> None:
        """The first `number` of the batch under way were ``sent``, ``dropped`` or ``refused``."""
        with self._lock:
            self._add(**{what: number})
            self.under_way = self.under_way[number:]

    def lost(self) -> None:
        """Count everything that waits as dropped."""
        with self._lock:
            self._add(dropped=len(self._held) + len(self.under_way))
            self._held.clear()
            self.under_way = []

    @property
    def counts(self) -> Counts:
        """What became of everything so far."""
        with self._lock:
            now = self._counts
            return Counts(now.sent, len(self._held) + len(self.under_way), now.dropped, now.refused)

    def _add(self, **more: int) -> None:
        self._counts += Counts(**more)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):  # a number of numpy
        return value.item()
    raise TypeError(type(value).__name__)


def body_of(batch: list[tuple[str, str]]) -> bytes:
    """The body of a request."""
    return f"[{','.join(text for _, text in batch)}]".encode()


@dataclass
class Pace:
    """How long to wait between tries."""

    limits: Limits
    tries: int = 0
    chance: Random = field(default_factory=Random)

    def after(self, answer: httpx.Response | None) -> float | None:
        """Seconds until the next try; None where there were enough."""
        self.tries += 1
        if self.tries >= self.limits.tries:
            return None
        own: float = min(
            self.limits.first * 2.0 ** (self.tries - 1), self.limits.longest
        ) * self.chance.uniform(0.5, 1)
        return max(own, min(retry_after(answer), self.limits.longest))


def retry_after(answer: httpx.Response | None) -> float:
    """The seconds of ``Retry-After``, as a number or a date; 0 without one."""
    text = "" if answer is None else answer.headers.get("retry-after", "")
    try:
        return max(0.0, float(text)) if text and text.strip().isdigit() else _until(text)
    except (ValueError, TypeError):
        return 0.0


def _until(text: str) -> float:
    if not text:
        return 0.0
    when = parsedate_to_datetime(text)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def halves(batch: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """A refused batch as two: the event that is wrong is found by sending less at once."""
    return batch[: len(batch) // 2], batch[len(batch) // 2 :]


def judged(answer: httpx.Response | None) -> str:
    """``sent``, ``again``, ``refused``, or ``wrong`` where one event spoils the batch."""
    if answer is None or answer.status_code in _AGAIN:
        return "again"
    if answer.status_code in (413, 422):
        return "wrong"
    return "sent" if answer.is_success else "refused"


def event(given: Mapping[str, Any]) -> dict[str, Any]:
    """An event with its time, for it may wait before it is sent."""
    found = {name: value for name, value in given.items() if value is not None}
    found.setdefault("time", datetime.now(UTC))
    return found


def options_of(url: str, key: str, limits: Limits) -> dict[str, Any]:
    """What a client of httpx is made with."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return {"base_url": url, "headers": headers, "timeout": limits.timeout}
