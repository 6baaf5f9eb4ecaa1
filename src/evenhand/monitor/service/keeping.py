"""What was just worked out, kept for a moment: many people look at the same page at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from evenhand.monitor.tally import Newest

T = TypeVar("T")
_MOST = 100
OLDEST = 3  # times the seconds for which a result is kept


class Kept:
    """Results by key for `seconds`.

    While one is worked out again, others who ask for it get the one before, up to `OLDEST` times as old: of
    fifty people who look at a page one waits. Where there is none, all wait for the one that is worked out.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: Newest[Hashable, tuple[float, Any]] = Newest(_MOST)
        self._working: dict[Hashable, threading.Lock] = {}
        self._forgotten = 0

    def forget(self) -> None:
        """Drop everything: somebody changed something, and wants to see it."""
        with self._lock:
            self._held.clear()
            self._forgotten += 1

    def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """The result for `key`: one that is young enough, or that of `work`; an error is not kept."""
        if not self._seconds:
            return work()
        with self._lock:
            age, value = self._found(key)
            others = key in self._working and self._working[key].locked()
            if age < (OLDEST if others else 1) * self._seconds:
                return value  # type: ignore[no-any-return]
            mine = self._working.setdefault(key, threading.Lock())
        try:
            with mine:
                with self._lock:
                    age, value = self._found(key)
                    began = self._forgotten
                if age < self._seconds:
                    return value  # type: ignore[no-any-return]
                made = work()
                with self._lock:
                    if began == self._forgotten:  # else it may be from before the change
                        self._held.keep(key, (time.monotonic(), made))
                return made
        finally:
            with self._lock:
                if not mine.locked():
                    self._working.pop(key, None)

    def _found(self, key: Hashable) -> tuple[float, Any]:
        """The age of a result in seconds, infinite where there is none, and the result."""
        when, value = self._held.get(key, (float("-inf"), None))
        return time.monotonic() - when, value
