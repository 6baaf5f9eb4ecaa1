"""Who does independent pieces of work: this process, one after the other, or the processes of a Ray cluster.

A piece is a function of a module and its arguments, both picklable. What it makes it writes into a folder
that every machine sees, so that a piece whose process died is begun again and finds what was done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from evenhand.workers.place import Place, parse

__all__ = ["Ended", "Here", "Piece", "Place", "Workers", "parse", "workers"]


@dataclass(frozen=True)
class Piece:
    """One piece of work: ``function(*arguments)``, under a `key` of the caller's; `said` is it in words."""

    key: Hashable
    said: str
    function: Callable[..., Any] = field(repr=False)
    arguments: tuple[Any, ...] = field(default=(), repr=False)

    def done(self) -> Ended:
        """It, carried out in this process."""
        try:
            return Ended(self.key, self.function(*self.arguments))
        except Exception as error:
            return Ended(self.key, error=error)


@dataclass(frozen=True)
class Ended:
    """What came of a piece: its value, or the error that it ended with."""

    key: Hashable
    value: Any = None
    error: Exception | None = None


class Workers(Protocol):
    """Whoever does the work."""

    @property
    def slots(self) -> int:
        """How many pieces are worked on at a time."""
        ...

    def begin(self, piece: Piece) -> None:
        """Take on a piece."""
        ...

    def ended(self) -> Ended:
        """Wait for a piece that was begun; at least one was, and each is given once."""
        ...


class Here:
    """This process, one piece after the other, in the order in which they were begun."""

    slots = 1

    def __init__(self) -> None:
        self._begun: deque[Piece] = deque()

    def begin(self, piece: Piece) -> None:
        """Take on a piece; it is worked on when its end is waited for."""
        self._begun.append(piece)

    def ended(self) -> Ended:
        """The next piece, carried out."""
        return self._begun.popleft().done()


@contextmanager
def workers(on: str | None) -> Iterator[Workers]:
    """The workers that `on` names (`evenhand.workers.place`) while the context lasts; None is this process.

    Raises:
        BadOption: `on` cannot be used as written, or no machine has what a piece takes.
        MissingExtra: Ray is not installed.
        EnvironmentProblem: the cluster cannot be reached, or its machines do not have this program.
    """
    if on is None:
        yield Here()
        return
    place = parse(on)
    from evenhand.workers.on_ray import connected

    with connected(place) as found:
        yield found
