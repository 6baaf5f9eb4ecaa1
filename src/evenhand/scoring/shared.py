"""Rows with a long beginning in common: the beginning runs once, the rest packed after it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from evenhand.scoring.batching import Room
from evenhand.scoring.call import Call
from evenhand.scoring.forward import run_inputs, run_rows
from evenhand.scoring.memory import attempt, make_room, ran_out
from evenhand.scoring.packing import Packed, pack
from evenhand.scoring.plan import Row
from evenhand.scoring.prefix import Prefix
from evenhand.scoring.probe import apart, limit
from evenhand.scoring.sharing import Group, Sharing, find_groups

_log = logging.getLogger("evenhand.scoring")


class SharedRoute:
    """Runs the rows that have a beginning in common after one pass over it.

    `room` limits the tokens of a packed row and shrinks if memory runs out; `packed` is the size of the trees
    in which the rows would run otherwise, None if they would run whole.

    With `probe`, the first group is tested against whole rows. `fault` is None, or a sentence on the failure
    of the test, after which no prefix is shared; `error` is the disagreement as a share of the spread of the
    log-probabilities, None before the test. `why` is the reason why the newest call's prefixes were shared
    or not, and `repeated` the number of its rows that ran their prefix again for a reason that lies in the
    model.
    """

    def __init__(self, module: nn.Module, sharing: Sharing | None, room: int, *, probe: bool = True) -> None:
        self._module = module
        self._sharing = sharing or Sharing()
        self._on = sharing is not None
        self._room = Room(room, unit="packed row")
        self._untested = probe
        self.fault: str | None = None
        self.error: float | None = None
        self.why = ""
        self.repeated = 0

    def run(self, call: Call, rows: Sequence[Row], *, packed: int | None = None) -> Sequence[Row]:
        """Answer the rows of groups that are worth their passes; nothing is kept after the call."""
        self.why, self.repeated = "sharing is switched off", 0
        if not self._on:
            return rows
        self.why = "no prefix is long and frequent enough"
        groups = find_groups(rows, self._sharing, packed)
        if not groups:
            return rows
        self.why = self.fault or call.no_cache or "beginnings are shared"
        if self.fault or call.no_cache:
            self.repeated = sum(len(group.rows) for group in groups)
            return rows
        left: list[Row] = []
        for group in groups:
            left += self._group(call, group)
        if self.fault:
            self.why, self.repeated = self.fault, len(left)
        done = {row.slot for group in groups for row in group.rows} - {row.slot for row in left}
        return [row for row in rows if row.slot not in done]

    def _group(self, call: Call, group: Group) -> list[Row]:
        """Answer the rows of a group; returns those that still have to run."""
        prefix = self._begin(call, group)
        if prefix is None:
            return list(group.rows)
        left: list[Row] = []
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
                alone = 1 if len(piece.places) > call.reader.room else len(pending)
                left += pending[:alone]
                pending = pending[alone:]
        call.tally.groups += len(left) < len(group.rows)
        return left

    def _begin(self, call: Call, group: Group) -> Prefix | None:
        """The group's prefix, run and tested; None where it does not fit or must not be used."""
        if self.fault is not None or len(group.positions) > call.head.room:
            return None
        try:
            prefix = self._run_beginning(call, group)
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

    def _sound(self, call: Call, group: Group, prefix: Prefix) -> bool:
        if not self._untested:
            return True
        rows = _spread_out(group.rows)
        error = self._disagreement(
            call, prefix, pack(rows, group.start, sum(len(row.ids) for row in rows))[0]
        )
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

    def _read(self, call: Call, prefix: Prefix, piece: Packed) -> bool:
        """Whether `piece` could be read; keeps the packed size that fits into memory."""
        if len(piece.places) > call.reader.room:
            return False

        def done() -> bool:
            call.read(prefix.inputs_after(piece), [(0, place) for place in piece.places], _indexed(piece))
            return True

        if attempt(done):
            call.tally.shared += len(piece.rows)
            call.finished(piece.rows)
            return True
        call.tally.halvings += 1
        self._room.shrink(len(piece.ids))
        return False

    def _run_beginning(self, call: Call, group: Group) -> Prefix:
        """Run the group's prefix and write the answers at positions within it."""
        prefix = Prefix(call.reader, group.beginning, group.positions)
        if group.positions:
            index = {position: i for i, position in enumerate(group.positions)}
            wanted = [(index[position], target, slot) for position, target, slot in _in_beginning(group)]
            call.write(prefix.reading, sorted(wanted))
        return prefix

    def _disagreement(self, call: Call, prefix: Prefix, packed: Packed) -> float | None:
        """How far packed and single rows are `apart` in one prediction of the first and the last row."""
        where = [(0, place) for place in packed.places]
        together = run_inputs(self._module, call.head, prefix.inputs_after(packed), where).log_softmax(-1)
        place = {slot: packed.places.index(place) for place, _, slot in packed.wanted}
        chosen = [packed.rows[0], packed.rows[-1]]
        alone = torch.cat(
            [
                run_rows(self._module, call.head, [row.ids], [[row.wanted[0][0]]], padding="right")
                for row in chosen
            ]
        ).log_softmax(-1)  # [2, vocabulary]
        call.tally.probed += len(packed.ids) + sum(len(row.ids) for row in chosen)
        return apart(together[[place[row.slot] for row in chosen]], alone)


def _spread_out(rows: Sequence[Row]) -> list[Row]:
    """The first, the middle and the last of sorted rows, each with its last prediction: different texts."""
    chosen = [rows[i] for i in sorted({0, len(rows) // 2, len(rows) - 1})]
    return [replace(row, wanted=row.wanted[-1:], slot=i) for i, row in enumerate(chosen)]


def _indexed(packed: Packed) -> list[tuple[int, int, int]]:
    """The answers of a packed row by the index of their place among `packed.places`."""
    index = {place: i for i, place in enumerate(packed.places)}
    return [(index[place], target, slot) for place, target, slot in packed.wanted]


def _in_beginning(group: Group) -> list[tuple[int, int, int]]:
    return [
        (position, target, row.slot + k)
        for row in group.rows
        for k, (position, target) in enumerate(row.wanted)
        if position < group.start
    ]
