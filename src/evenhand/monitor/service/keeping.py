"""What was just worked out, kept for a moment: many people look at the same page at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from evenhand.monitor.tally import Newest

T = TypeVar("T")
_MOST = 200


class Kept:
    """Results by key for `seconds`; while one is worked out, others who ask for it wait for it."""

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
            mine = self._working.setdefault(key, threading.Lock())
        try:
            with mine:
                with self._lock:
                    when, value = self._held.get(key, (float("-inf"), None))
                    began = self._forgotten
                if time.monotonic() - when < self._seconds:
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
