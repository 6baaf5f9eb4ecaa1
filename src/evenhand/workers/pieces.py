"""Pieces of work, and whoever does them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Piece:
    """One piece of work: ``function(*arguments)``, under a `key` of the caller's; `said` is it in words.

    `memory` are the bytes of main memory that it takes at the most, None where that is not known.
    """

    key: Hashable
    said: str
    function: Callable[..., Any] = field(repr=False)
    arguments: tuple[Any, ...] = field(default=(), repr=False)
    memory: int | None = None

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
