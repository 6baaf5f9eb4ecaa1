"""Running groups of rows with a common prefix: the prefix once, the rest packed; and a test of the method."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evenhand.scoring.batching import Room
from evenhand.scoring.forward import SelectedHead, run_rows
from evenhand.scoring.memory import attempt, make_room, ran_out
from evenhand.scoring.packing import Packed, pack
from evenhand.scoring.plan import Row
from evenhand.scoring.prefix import Prefix
from evenhand.scoring.probe import limit
from evenhand.scoring.sharing import Group, Sharing

Answered = Callable[[Row], None]
_log = logging.getLogger("evenhand.scoring")


@dataclass(slots=True)
class Tally:
    """What one call ran with shared prefixes.

    `groups` and `rows` were answered in this way; `run` counts the tokens of prefixes and packed rows,
    `forwards` the passes over them, `head_rows` the rows of the head, `halvings` how often memory ran out,
    and `probed` the tokens of the test. `left` holds the rows that still have to run whole.
    """

    groups: int = 0
    rows: int = 0
    run: int = 0
    forwards: int = 0
    head_rows: int = 0
    halvings: int = 0
    probed: int = 0
    left: list[Row] = field(default_factory=list)


class Shared:
    """Runs groups on one module. `room` limits the tokens of a packed row and shrinks if memory runs out.

    With `probe`, the first group is tested against whole rows. `fault` is None, or a sentence on the failure
    of the test, after which every row runs whole; `error` is the disagreement as a share of the spread of the
    log-probabilities, None before the test.
    """

    def __init__(self, module: nn.Module, sharing: Sharing, *, room: int, probe: bool = True) -> None:
        self._module = module
        self._sharing = sharing
        self._room = Room(room, unit="packed row")
        self._untested = probe
        self.fault: str | None = None
        self.error: float | None = None

    def run(
        self,
        groups: Sequence[Group],
        head: SelectedHead,
        values: NDArray[np.float64],
        answered: Answered,
    ) -> Tally:
        """Write the answers of `groups` into `values`, each in its slot; nothing is kept after the call.

        No pass reads more rows of the entered `head` than its `room`. `answered` is called with each row
        whose answers are written; the tally's `left` holds the others.
        """
        call = _Call(self._module, head, values, answered, Tally())
        for group in groups:
            self._group(call, group)
        return call.tally

    def _group(self, call: _Call, group: Group) -> None:
        prefix = self._begin(call, group)
        if prefix is None:
            call.tally.left += group.rows
            return
        before = call.tally.rows
        pending = list(group.rows)
        room = min(self._sharing.packed(group.start), self._room.tokens)
        while pending:
            for piece in pack(pending, group.start, room):
                if not (fits := self._read(call, prefix, piece)):
                    break
                pending = pending[len(piece.rows) :]
            if fits:
                continue
            room = max(1, len(piece.ids) // 2)
            if len(piece.rows) == 1:  # too many answers for one pass, or no memory for the others either
                alone = 1 if len(piece.places) > call.head.room else len(pending)
                call.tally.left += pending[:alone]
                pending = pending[alone:]
        call.tally.groups += call.tally.rows > before

    def _begin(self, call: _Call, group: Group) -> Prefix | None:
        """The group's prefix, run and tested; None where it does not fit or must not be used."""
        if self.fault is not None or len(group.positions) > call.head.room:
            return None
        try:
            prefix = call.begin(group)
            return prefix if self._sound(call, group, prefix) else None
        except Exception as problem:
            if ran_out(problem):
                call.tally.halvings += 1
            elif self._untested:  # a model that does not support this may raise any error
                self._refuse(f"reading after a shared prefix failed ({problem})")
            else:
                raise
        make_room()
        return None

    def _sound(self, call: _Call, group: Group, prefix: Prefix) -> bool:
        if not self._untested:
            return True
        rows = _spread_out(group.rows)
        error = call.disagreement(prefix, pack(rows, group.start, sum(len(row.ids) for row in rows))[0])
        if error is None:
            return False
        bound = limit(self._module)
        self._untested, self.error = False, error
        if not error <= bound:  # also for NaN
            self._refuse(
                f"shared prefixes differ from whole rows by {error:.1e} of the spread, limit {bound:.0e}"
            )
        return self.fault is None

    def _refuse(self, fault: str) -> None:
        self.fault = fault
        _log.warning("%s: not used", fault)

    def _read(self, call: _Call, prefix: Prefix, piece: Packed) -> bool:
        """Whether `piece` could be read; keeps the packed size that fits into memory."""
        if len(piece.places) > call.head.room:
            return False

        def done() -> bool:
            call.read(prefix, piece)
            return True

        if attempt(done):
            return True
        call.tally.halvings += 1
        self._room.shrink(len(piece.ids))
        return False


def _spread_out(rows: Sequence[Row]) -> list[Row]:
    """The first, the middle and the last of sorted rows, each with its last prediction: different texts."""
    chosen = [rows[i] for i in sorted({0, len(rows) // 2, len(rows) - 1})]
    return [replace(row, wanted=row.wanted[-1:], slot=i) for i, row in enumerate(chosen)]


@dataclass(slots=True)
class _Call:
    """What the passes of one call share."""

    module: nn.Module
    head: SelectedHead
    values: NDArray[np.float64]
    answered: Answered
    tally: Tally

    def begin(self, group: Group) -> Prefix:
        """Run the group's prefix and write the answers at positions within it."""
        prefix = Prefix(self.module, self.head, group.beginning, group.positions)
        self._count(group.start, max(1, len(group.positions)))
        if prefix.logits is not None:
            self._answer(prefix.logits, group.positions, _wanted_in_beginning(group))
        return prefix

    def read(self, prefix: Prefix, packed: Packed) -> None:
        """Write the answers of a packed row."""
        logits = prefix.read(packed)
        self._count(len(packed.ids), len(packed.places))
        self._answer(logits, packed.places, packed.wanted)
        for row in packed.rows:
            self.answered(row)
        self.tally.rows += len(packed.rows)

    def disagreement(self, prefix: Prefix, packed: Packed) -> float | None:
        """The largest difference between log-probabilities of packed and single rows, relative to the spread.

        For the first and the last row, with one prediction each. NaN where only packed rows give NaN; None
        where single rows give no finite number, because such weights cannot test the method.
        """
        together = prefix.read(packed).log_softmax(-1)  # [places, vocabulary]
        place = {slot: packed.places.index(place) for place, _, slot in packed.wanted}
        chosen = [packed.rows[0], packed.rows[-1]]
        alone = torch.cat(
            [
                run_rows(self.module, self.head, [row.ids], [[row.wanted[0][0]]], padding="right")
                for row in chosen
            ]
        ).log_softmax(-1)  # [2, vocabulary], or [1, vocabulary] of one row
        self.tally.probed += len(packed.ids) + sum(len(row.ids) for row in chosen)
        finite = alone.isfinite()
        if not finite.any():
            return None
        spread = alone[finite].std().clamp_min(1e-3)
        return float((together[[place[row.slot] for row in chosen]] - alone)[finite].abs().max() / spread)

    def _count(self, tokens: int, head_rows: int) -> None:
        self.tally.run += tokens
        self.tally.forwards += 1
        self.tally.head_rows += head_rows

    def _answer(self, logits: Tensor, places: Sequence[int], wanted: Sequence[tuple[int, int, int]]) -> None:
        index = {place: i for i, place in enumerate(places)}
        rows, targets, slots = torch.tensor(
            [(index[place], target, slot) for place, target, slot in wanted], device=logits.device
        ).T  # [T] each: a row of `logits` [places, vocabulary], the target's id, the answer's place
        found = logits[rows, targets] - logits.logsumexp(-1)[rows]  # [T], nats
        self.values[slots.cpu().numpy()] = found.double().cpu().numpy()


def _wanted_in_beginning(group: Group) -> list[tuple[int, int, int]]:
    return [
        (position, target, row.slot + k)
        for row in group.rows
        for k, (position, target) in enumerate(row.wanted)
        if position < group.start
    ]
