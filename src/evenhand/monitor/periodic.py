"""Work that the service does again and again, from a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

from evenhand.errors import EvenhandError

log = logging.getLogger("evenhand.monitor")


class Periodic:
    """Calls `work` every so many seconds, until it is stopped; what fails is done again at the next turn."""

    def __init__(self, name: str, work: Callable[[], object], every: float) -> None:
        self._name, self._work, self._every, self._stop = name, work, every, threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first turn is after the first wait."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """End after the turn under way, for which it waits so long at most."""
        self._stop.set()
        self._thread.join(seconds)

    def _loop(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._work()
            except EvenhandError as error:  # such as a database that is away: it may be back
                log.error("%s: %s", self._name, error.what)
            except Exception as error:  # a message of the database's may hold what was stored
                log.error("%s: %s", self._name, type(error).__name__)


@contextlib.contextmanager
def running(*tasks: Periodic) -> Iterator[None]:
    """All of them run meanwhile."""
    for task in tasks:
        task.start()
    try:
        yield
    finally:
        for task in tasks:
            task.stop()
