"""Batches of rows under a token budget that shrinks when memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from evenhand.errors import OutOfMemory
from evenhand.progress import task
from evenhand.scoring.memory import attempt

_log = logging.getLogger("evenhand.scoring")


def in_batches(
    lengths: Sequence[int], budget: int, work: Callable[[list[int]], None], *, label: str = "reading"
) -> int:
    """Call `work` with the indices of a batch until every row had its turn, the longest rows first.

    A batch holds at most `budget` tokens, padding counted, and always at least one row. When `work` runs out
    of memory, the same rows come again in batches of half the size. Returns the budget that is left.

    Raises:
        OutOfMemory: one row alone does not fit.
    """
    pending = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    with task(label, len(pending), unit="row") as advance:
        while pending:
            width = max(1, lengths[pending[0]])
            batch = pending[: max(1, budget // width)]
            if _fits(work, batch):
                pending = pending[len(batch) :]
                advance(len(batch))
                continue
            if len(batch) == 1:
                raise OutOfMemory(
                    f"One row of {width} tokens does not fit into memory.",
                    mend="Use a smaller model or dtype bfloat16, shorten the text, or free memory.",
                )
            budget = len(batch) * width // 2
            _log.warning("memory ran out; going on with %d tokens a batch", budget)
    return budget


def _fits(work: Callable[[list[int]], None], batch: list[int]) -> bool:
    def done() -> bool:
        work(batch)
        return True

    return attempt(done) is True
