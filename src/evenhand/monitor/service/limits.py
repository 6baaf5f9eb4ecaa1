"""How many requests a key or an address may send."""

from __future__ import annotations

import threading
import time

from evenhand.monitor.tally import Newest
from evenhand.monitor.users import TooMany

_REMEMBERED = 10_000


class Buckets:
    """A bucket of `burst` requests for each name, refilled `per_second` by a clock that never goes back."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._rate, self._burst = per_second, float(burst)
        self._left: Newest[str, tuple[float, float]] = Newest(_REMEMBERED)
        self._lock = threading.Lock()

    def take(self, name: str) -> None:
        """Take one request of `name`.

        Raises:
            TooMany: its bucket is empty.
        """
        now = time.monotonic()
        with self._lock:
            left, when = self._left.get(name, (self._burst, now))
            left = min(self._burst, left + (now - when) * self._rate)
            if left < 1:
                raise TooMany(
                    "Too many requests.",
                    mend="Wait, then send larger batches instead of more requests.",
                    seconds=(1 - left) / self._rate,
                )
            self._left.keep(name, (left - 1, now))
