"""Whole rows in padded batches: the route that serves every model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.call import Call
from evenhand.scoring.forward import Padding, row_inputs
from evenhand.scoring.memory import ran_out
from evenhand.scoring.plan import Row
from evenhand.scoring.probe import Path, choose, settle


class PaddedRoute:
    """Runs every row, in batches within `room`.

    `path` is the side of the padding, or ``equal`` for batches of one length, and `why` gives the reason.
    With `probe`, the first workload of mixed lengths tests the padding and tries left, right and equal
    lengths in this order; `error` is the accepted disagreement, None if no batch needed padding.
    """

    def __init__(self, module: nn.Module, room: Room, path: Path, why: str, *, probe: bool) -> None:
        self._module = module
        self._room = room
        self._untested = probe
        self.path = path
        self.why = why
        self.error: float | None = None

    def run(self, call: Call, rows: Sequence[Row]) -> Sequence[Row]:
        """Answer all of `rows`, which are sorted from long to short."""
        self._settle(call, rows)
        self._room.heads = call.reader.room

        def load(row: Row) -> Load:
            width = len(row.ids)
            return Load(width, heads=len(row.positions), like=width if self.path == "equal" else None)

        def work(batch: list[Row]) -> None:
            self._read(call, batch)

        for batch, _ in in_batches(rows, load, self._room, work, split=Row.halves):
            call.finished(batch)
            self._room.heads = call.reader.room  # the first pass shows what the head allows
        return ()

    def _read(self, call: Call, batch: Sequence[Row]) -> None:
        positions = [row.positions for row in batch]
        padding: Padding = "left" if self.path == "left" else "right"
        inputs, where = row_inputs(self._module, [row.ids for row in batch], positions, padding=padding)
        index = {(i, p): r for r, (i, p) in enumerate((i, p) for i, ps in enumerate(positions) for p in ps)}
        answers = [
            (index[i, position], target, row.slot + k)
            for i, row in enumerate(batch)
            for k, (position, target) in enumerate(row.wanted)
        ]
        call.read(inputs, where, answers)

    def _settle(self, call: Call, remaining: Sequence[Row]) -> None:
        rows = choose(remaining) if remaining else []
        if not self._untested or len(rows) < 2:
            return
        try:
            settled = settle(self._module, call.head, rows, self.path)
        except Exception as problem:
            if not ran_out(problem):
                raise
            return  # too large to test at once: a later, smaller workload settles it
        self._untested = False
        self.path, self.why, self.error = settled.path, settled.why, settled.error
