"""Batches of rows within what one pass may hold, which shrinks when memory runs out. Every request kind
that needs weights runs through here.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from evenhand.errors import OutOfMemory
from evenhand.scoring.memory import attempt

Row = TypeVar("Row")
Found = TypeVar("Found")
_log = logging.getLogger("evenhand.scoring")


@dataclass(slots=True)
class Room:
    """The limits of one pass: `tokens`, including padding, and `heads` rows of the language-model head.

    `halvings` counts how often memory ran out, `unit` names the input of a pass for messages. A reduced limit
    stays for as long as the object is used.
    """

    tokens: int
    heads: int = sys.maxsize
    halvings: int = 0
    unit: str = "batch"

    def shrink(self, tokens: int) -> None:
        """Reduce the limit to half of the `tokens` that did not fit, at least one."""
        self.tokens = max(1, tokens // 2)
        _log.warning("memory ran out with %d tokens a %s; going on with %d", tokens, self.unit, self.tokens)


@dataclass(frozen=True, slots=True)
class Load:
    """The size of a row: `tokens` wide, `heads` rows of the head. A batch only has rows with equal `like`."""

    tokens: int
    heads: int = 0
    like: Hashable = None


_Pending = deque[tuple[Row, Load]]


def in_batches(
    rows: Iterable[Row],
    load: Callable[[Row], Load],
    room: Room,
    work: Callable[[list[Row]], Found],
    *,
    split: Callable[[Row], Sequence[Row]] | None = None,
) -> Iterator[tuple[list[Row], Found]]:
    """Each batch with the result of `work`, until every row has been processed; the longest rows come first.

    Rows of equal width keep the given order. A batch is padded to its first row and holds at least one row,
    however small the limit. When `work` runs out of memory, the same rows are repeated in batches of half the
    size; a row that does not fit alone is repeated in the parts that `split` makes of it.

    Raises:
        OutOfMemory: one row alone does not fit, and it has no parts.
    """
    loaded = ((row, load(row)) for row in rows)
    pending = deque(sorted(loaded, key=lambda one: -one[1].tokens))
    while pending:
        batch = _take(pending, room)
        members = [row for row, _ in batch]
        done = attempt(partial(_boxed, work, members))
        if done is not None:
            yield members, done[0]
            continue
        room.halvings += 1
        if len(batch) > 1:
            room.shrink(len(batch) * batch[0][1].tokens)
            again = batch
        else:
            again = [(part, load(part)) for part in _parts(batch[0], split)]
        pending.extendleft(reversed(again))


def _boxed(work: Callable[[list[Row]], Found], batch: list[Row]) -> tuple[Found]:
    """The result of `work` in a tuple, to distinguish it from None."""
    return (work(batch),)


def _take(pending: _Pending[Row], room: Room) -> list[tuple[Row, Load]]:
    """Remove the next batch from `pending`: its first row, then as many as fit the limits."""
    batch = [pending.popleft()]
    first = batch[0][1]
    width, heads = max(1, first.tokens), first.heads
    while pending and (len(batch) + 1) * width <= room.tokens:
        after = pending[0][1]
        heads += after.heads
        if after.like != first.like or heads > room.heads:
            break
        batch.append(pending.popleft())
    return batch


def _parts(one: tuple[Row, Load], split: Callable[[Row], Sequence[Row]] | None) -> Sequence[Row]:
    row, load = one
    parts = split(row) if split else ()
    if not parts:
        raise OutOfMemory(
            f"One row of {load.tokens} tokens does not fit into memory.",
            mend="Use a smaller model or dtype bfloat16, shorten the text or ask for fewer tokens, or free "
            "memory.",
        )
    _log.warning("memory ran out with one row; reading its answers in %d passes", len(parts))
    return parts
