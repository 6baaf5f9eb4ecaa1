"""Rows as packed prefix trees, several in one forward pass: the route of causal models."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from evenhand.architectures.reading import text_config
from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.call import Call
from evenhand.scoring.forward import run_rows
from evenhand.scoring.memory import ran_out
from evenhand.scoring.packing import Packed
from evenhand.scoring.plan import Row
from evenhand.scoring.probe import apart, limit, spread_out
from evenhand.scoring.reading import Reading
from evenhand.scoring.trees import HOOKED, most_nodes, nodes_at, pack_evenly, room_for, tree_inputs

_TESTED = 6  # texts
_NEAR = 0.75  # trees of one batch are at least this share of its largest
_log = logging.getLogger("evenhand.scoring")


class TreeRoute:
    """Runs rows as trees of at most one of `sizes` tokens, in batches within `room`.

    With `probe`, the first batch in which texts share a tree is compared with its own texts, run singly.
    `fault` is None, or a sentence on the failure of the test, after which no tree is run; `error` is the
    disagreement as a share of the spread of the log-probabilities, None before the test. `why` is the reason
    why the newest call's rows were packed or not, and `packable` the number of tokens that would have been
    enough where a property of the model forbids it.
    """

    def __init__(self, module: nn.Module, sizes: Sequence[int], room: Room, *, probe: bool) -> None:
        self._module = module
        self._sizes = sizes
        self._room = room
        self._untested = probe
        self.fault: str | None = None
        self.error: float | None = None
        self.why = ""
        self.packable: int | None = None

    def run(self, call: Call, rows: Sequence[Row]) -> Sequence[Row]:
        """Answer `rows` but those too long for a tree of this model; none if trees fail the test."""
        self.packable, self.why = None, ""
        if not self._sizes:
            return rows
        if not (why := self.fault or call.no_trees):
            most = most_nodes(self._module)
            fit = [row for row in rows if not most or len(row.ids) <= most]
            self.why = self._passed() if fit else f"the texts are longer than the window of {most} places"
            done = self._run(call, self._trees(fit, most))
            if not (why := self.fault):
                return [row for row in rows if row.end not in done]
        self.why = why
        if why != HOOKED:
            self.packable = sum(len(tree.ids) for tree in self._trees(rows, None))
        return rows

    def largest(self, call: Call) -> int | None:
        """The most tokens that a tree may have; None if rows run whole."""
        if not self._sizes or self.fault or call.no_trees:
            return None
        return min(self._sizes[-1], self._room.tokens, most_nodes(self._module) or self._sizes[-1])

    def _trees(self, rows: Sequence[Row], most: int | None) -> list[Packed]:
        rooms = [min(room, self._room.tokens, most or room) for room in self._sizes]
        width = getattr(text_config(getattr(self._module, "config", None)), "hidden_size", None) or 768
        return pack_evenly(rows, room_for(rows, sorted(set(rooms)), int(width))) if rows else []

    def _run(self, call: Call, trees: Sequence[Packed]) -> set[int]:
        """Answer the trees' rows; returns the ends of those that are answered."""
        done: set[int] = set()
        self._room.heads = call.reader.room
        kind = dict(_kinds(trees))

        def load(tree: Packed) -> Load:
            size = len(tree.ids)
            return Load(size, heads=len(tree.places), like=kind.get(size, size))

        def work(batch: list[Packed]) -> bool:
            return self._batch(call, batch)

        for batch, sound in in_batches(trees, load, self._room, work, split=self._halves):
            if not sound:
                break
            call.tally.trees += len(batch)
            call.tally.nodes += sum(len(tree.ids) for tree in batch)
            read = [row for tree in batch for row in tree.rows]
            call.finished(read)
            done.update(row.end for row in read)
            self._room.heads = call.reader.room  # the first pass shows what the head allows
        call.tally.packed += len(done)
        return done

    def _batch(self, call: Call, batch: Sequence[Packed]) -> bool:
        """Answer one batch; False if what it gave cannot be trusted."""
        where = nodes_at(batch)
        index = {node: i for i, node in enumerate(where)}
        answers = [
            (index[i, place], target, slot)
            for i, tree in enumerate(batch)
            for place, target, slot in tree.wanted
        ]
        try:
            reading = call.read(tree_inputs(self._module, batch), where, answers)
        except Exception as problem:
            if not self._untested or ran_out(problem):
                raise
            self._refuse(f"packed trees failed ({problem})")  # an unsupported model may raise any error
            return False
        return self._sound(call, batch, reading, index)

    def _sound(
        self, call: Call, batch: Sequence[Packed], reading: Reading, index: dict[tuple[int, int], int]
    ) -> bool:
        which = max(range(len(batch)), key=lambda i: _saved(batch[i]))
        rows = spread_out(batch[which].rows, _TESTED)
        if not self._untested or len(rows) < 2:
            return True
        place = {slot: place for place, _, slot in batch[which].wanted}
        together = reading.logits([index[which, place[row.end - 1]] for row in rows]).log_softmax(-1)
        head = call.head
        alone = [
            run_rows(self._module, head, [row.ids], [row.positions[-1:]], padding="right") for row in rows
        ]
        call.tally.probed += sum(len(row.ids) for row in rows)
        error = apart(together, torch.cat(alone).log_softmax(-1))
        if error is None:  # the answers are not finite either, which is reported where they are checked
            return True
        bound = limit(self._module)
        self._untested, self.error = False, error
        if not error <= bound:  # also for NaN
            self._refuse(
                f"packed trees differ from single rows by {error:.1e} of the spread, limit {bound:.0e}"
            )
        self.why = self._passed()
        return self.fault is None

    def _halves(self, tree: Packed) -> list[Packed]:
        """The tree as two with half of its texts each, or of its only text's answers."""
        middle = len(tree.rows) // 2
        if not middle:
            return [pack_evenly([row], len(row.ids))[0] for row in tree.rows[0].halves()]
        self._room.shrink(len(tree.ids))
        return [pack_evenly(part, len(tree.ids))[0] for part in (tree.rows[:middle], tree.rows[middle:])]

    def _passed(self) -> str:
        if self.error is None:
            return "the architecture reads packed trees"
        bound = limit(self._module)
        return f"packed trees differ from single rows by {self.error:.1e} of the spread, limit {bound:.0e}"

    def _refuse(self, fault: str) -> None:
        self.fault = fault
        _log.warning("%s: not used", fault)


def _saved(tree: Packed) -> int:
    return sum(len(row.ids) for row in tree.rows) - len(tree.ids)


def _kinds(trees: Sequence[Packed]) -> Iterator[tuple[int, int]]:
    """Each size of a tree with the largest of the sizes that may be in a batch with it."""
    first = 0
    for size in sorted({len(tree.ids) for tree in trees}, reverse=True):
        first = size if size < _NEAR * first or not first else first
        yield size, first
