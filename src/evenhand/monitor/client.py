"""Sending events to the service from an application, which it never blocks and never breaks.

::

    client = Client("http://127.0.0.1:8750", key)
    client.send(prediction_id="17", model="scorer", decision=1, attributes={"sex": "f"})

`send` puts an event into a buffer of bounded size and returns at once; a thread sends batches, tries again
where the service does not answer, and waits as long as it says. An event that is sent twice is counted once,
by its prediction id, so a batch whose answer was lost is simply sent again. What does not fit into the buffer
is dropped and counted: see `Client.counts`. At the end of the program what is left is sent, for 5 seconds at
most.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any

import httpx

log = logging.getLogger("evenhand.monitor.client")
EVENTS, LABELS = "/v1/events", "/v1/labels"
WEIGHT = 2**20  # bytes of a batch
LARGEST = 64 * 1024  # bytes of an event
_ENDS = {"sent": "sent", "again": "dropped", "wrong": "refused", "refused": "refused"}
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
class Counts:
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
        old = vars(self._counts)
        self._counts = Counts(**{name: old[name] + more.get(name, 0) for name in old})


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
        own = min(self.limits.first * 2 ** (self.tries - 1), self.limits.longest) * self.chance.uniform(
            0.5, 1
        )
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


def _options(url: str, key: str, limits: Limits) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return {"base_url": url, "headers": headers, "timeout": limits.timeout}


class Client:
    """Sends from a thread of its own; see the module. `transport` is httpx's, for tests."""

    def __init__(
        self,
        url: str,
        key: str,
        limits: Limits | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._buffer = Buffer(self.limits)
        self._http = httpx.Client(**_options(url, key, self.limits), transport=transport)
        self._some, self._stop = threading.Event(), threading.Event()
        self._ends: float | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        own = weakref.ref(self)
        atexit.register(lambda: (found := own()) and found.close())

    def send(self, **given: Any) -> bool:
        """Put an event (fields of `evenhand.monitor.events.Event`) into the buffer; False: it was dropped.

        It raises nothing, and waits for nothing.
        """
        return self._put(EVENTS, event(given))

    def label(self, prediction_id: str, label: int, *, use_case: str = "default") -> bool:
        """Put what turned out to be right into the buffer; False: it was dropped."""
        return self._put(LABELS, {"prediction_id": prediction_id, "label": label, "use_case": use_case})

    @property
    def counts(self) -> Counts:
        """How many events were sent, wait, were dropped or refused."""
        return self._buffer.counts

    def _put(self, path: str, item: Mapping[str, Any]) -> bool:
        try:
            kept = not self._stop.is_set() and self._buffer.put(path, item)
            if kept:
                self._start()
                if self._buffer.counts.waiting >= self.limits.batch:
                    self._some.set()
            return kept
        except Exception as error:  # the application goes on, whatever is wrong here
            log.warning("an event was not kept: %s", type(error).__name__)
            return False

    def _start(self) -> None:
        """The thread is started with the first event: a fork before that carries no dead one."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="evenhand-monitor", daemon=True)
                self._thread.start()

    def flush(self, seconds: float = 5.0) -> bool:
        """Send what waits, and wait for that at most so long; whether nothing waits any more."""
        ends = time.monotonic() + seconds
        while self._buffer.counts.waiting and time.monotonic() < ends:
            self._some.set()
            time.sleep(0.005)
        return not self._buffer.counts.waiting

    def close(self) -> Counts:
        """Send what waits for a few seconds, then stop; what is left is dropped and counted."""
        if not self._stop.is_set():
            self._ends = time.monotonic() + self.limits.closing
            self._stop.set()
            self._some.set()
            if self._thread is not None and self._thread.is_alive():
                self._thread.join(self.limits.closing + 0.5)
            self._buffer.lost()
            with contextlib.suppress(Exception):
                self._http.close()
            if self.counts.dropped:
                log.warning("%d events were dropped", self.counts.dropped)
        return self.counts

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            self._some.wait(self.limits.wait)
            self._some.clear()
            while self._buffer.take():
                try:
                    self._deliver(self._buffer.under_way)
                except Exception as error:
                    log.warning("a batch was dropped: %s", type(error).__name__)
                    self._buffer.done("dropped", len(self._buffer.under_way))
            if self._stop.is_set():
                return

    def _deliver(self, batch: list[tuple[str, str]]) -> None:
        pace = Pace(self.limits)
        while True:
            answer = self._post(batch)
            what = judged(answer)
            if what == "wrong" and len(batch) > 1:
                for half in halves(batch):
                    self._deliver(half)
                return
            pause = pace.after(answer) if what == "again" else None
            if pause is None or self._late(pause):
                self._buffer.done(_ENDS[what], len(batch))
                return
            if self._stop.is_set():
                time.sleep(pause)
            else:
                self._stop.wait(pause)

    def _late(self, pause: float) -> bool:
        return self._ends is not None and time.monotonic() + pause > self._ends

    def _post(self, batch: list[tuple[str, str]]) -> httpx.Response | None:
        try:
            return self._http.post(batch[0][0], content=body_of(batch))
        except (httpx.HTTPError, OSError):
            return None


class AsyncClient:
    """The same for `asyncio`: ``async with AsyncClient(url, key) as client: client.send(...)``.

    A task of the running loop sends. `sleep` is `asyncio.sleep`, for tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        limits: Limits | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.limits = limits or Limits()
        self._buffer = Buffer(self.limits)
        self._http = httpx.AsyncClient(**_options(url, key, self.limits), transport=transport)
        self._sleep, self._closed = sleep, False
        self._task: asyncio.Task[None] | None = None

    def send(self, **given: Any) -> bool:
        """Put an event into the buffer; False: it was dropped."""
        return self._put(EVENTS, event(given))

    def label(self, prediction_id: str, label: int, *, use_case: str = "default") -> bool:
        """Put what turned out to be right into the buffer; False: it was dropped."""
        return self._put(LABELS, {"prediction_id": prediction_id, "label": label, "use_case": use_case})

    @property
    def counts(self) -> Counts:
        """How many events were sent, wait, were dropped or refused."""
        return self._buffer.counts

    def _put(self, path: str, item: Mapping[str, Any]) -> bool:
        try:
            kept = not self._closed and self._buffer.put(path, item)
            if kept and (self._task is None or self._task.done()):
                self._task = asyncio.get_running_loop().create_task(self._run())
            return kept
        except Exception as error:  # the application goes on, whatever is wrong here
            log.warning("an event was not kept: %s", type(error).__name__)
            return False

    async def _run(self) -> None:
        await self._sleep(self.limits.wait if self._buffer.counts.waiting < self.limits.batch else 0)
        await self._send_all()

    async def _send_all(self) -> None:
        while self._buffer.take():
            try:
                await self._deliver(self._buffer.under_way)
            except Exception as error:
                log.warning("a batch was dropped: %s", type(error).__name__)
                self._buffer.done("dropped", len(self._buffer.under_way))

    async def _deliver(self, batch: list[tuple[str, str]]) -> None:
        pace = Pace(self.limits)
        while True:
            answer = await self._post(batch)
            what = judged(answer)
            if what == "wrong" and len(batch) > 1:
                for half in halves(batch):
                    await self._deliver(half)
                return
            pause = pace.after(answer) if what == "again" else None
            if pause is None:
                self._buffer.done(_ENDS[what], len(batch))
                return
            await self._sleep(pause)

    async def _post(self, batch: list[tuple[str, str]]) -> httpx.Response | None:
        try:
            return await self._http.post(batch[0][0], content=body_of(batch))
        except (httpx.HTTPError, OSError):
            return None

    async def aclose(self) -> Counts:
        """Send what waits for a few seconds, then stop; what is left is dropped and counted."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.closing):
                if self._task is not None and not self._task.done():
                    await self._task
                await self._send_all()
        self._buffer.lost()
        await self._http.aclose()
        return self.counts

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
