"""How many requests are under way at once: fewer while a server is busy, more again while it answers.

A server that limits the rate rejects most of many concurrent requests, and each rejection would count as an
attempt. So the number is halved when requests are rejected, once for all that were under way together, and
grows by one each time as many as that were answered (additive increase, multiplicative decrease, as TCP
does). A request keeps its place while it waits as long as the server asks: nothing else is sent for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

_SPARE = 100  # open files that the rest of the program may need
_EACH = 3  # open files of one request: the connection, its second handle, and the answer that is stored


class Place:
    """One request's place among those that are under way."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.waited = pace._enter()
        self._epoch, self._seen = pace._epoch, pace.answered

    def answered(self) -> None:
        """The request was answered."""
        self._pace._answered()

    def rejected(self) -> bool:
        """The request was rejected unread; returns whether others were answered since it was sent."""
        return self._pace._rejected(self._epoch) > self._seen

    def again(self) -> None:
        """Before the request is sent again: leave the place to others if too many are under way."""
        self.waited = self._pace._again() or self.waited
        self._epoch, self._seen = self._pace._epoch, self._pace.answered


class Pace:
    """Lets at most `most` requests be under way at once; fewer if the system allows fewer open files."""

    def __init__(self, most: int) -> None:
        self.most = self.width = max(1, min(most, _openable()))
        self.answered = 0
        self._under_way = 0
        self._epoch = 0  # raised by each halving: what was sent before it concerns the old width
        self._in_a_row = 0
        self._changed = Condition()

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place among the requests under way, as soon as there is one."""
        place = Place(self)
        try:
            yield place
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _enter(self) -> bool:
        """Take a place; returns whether that had to wait."""
        with self._changed:
            waited = self._under_way >= self.width
            self._changed.wait_for(lambda: self._under_way < self.width)
            self._under_way += 1
            return waited

    def _again(self) -> bool:
        with self._changed:
            if self._under_way <= self.width:
                return False
            self._under_way -= 1
        return self._enter()

    def _answered(self) -> None:
        with self._changed:
            self.answered += 1
            self._in_a_row += 1
            if self._in_a_row >= self.width and self.width < self.most:
                self.width += 1
                self._in_a_row = 0
                self._changed.notify_all()

    def _rejected(self, epoch: int) -> int:
        """Halve the width unless that was done since `epoch`; returns the number of answers so far."""
        with self._changed:
            if epoch == self._epoch:
                self.width = max(1, min(self.width, self._under_way) // 2)
                self._epoch += 1
                self._in_a_row = 0
            return self.answered


def _openable() -> int:
    """How many requests may be under way, so that the open files do not exceed the system's limit."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 1_000_000
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if soft == resource.RLIM_INFINITY else (soft - _SPARE) // _EACH
