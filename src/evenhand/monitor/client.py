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
import logging
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from evenhand.monitor.buffering import (
    ENDS,
    EVENTS,
    LABELS,
    Buffer,
    Counts,
    Limits,
    Pace,
    body_of,
    event,
    halves,
    judged,
    options_of,
)

log = logging.getLogger("evenhand.monitor.client")


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
        self._http = httpx.Client(**options_of(url, key, self.limits), transport=transport)
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
                self._buffer.done(ENDS[what], len(batch))
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
        self._http = httpx.AsyncClient(**options_of(url, key, self.limits), transport=transport)
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
                self._buffer.done(ENDS[what], len(batch))
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
