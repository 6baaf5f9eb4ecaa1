"""Rows that begin at a block: everything below it ran once, and its output is kept by text.

`restart` gives the way to run rows for a workload whose weights below block `depth` stay as they are, such as
the fine-tuning of one block. The rows of a batch are packed into prefix trees where the architecture allows
it, else padded. Each way is tested once per model on a few rows of the workload; a model for which none gives
the log-probabilities of whole rows runs whole rows.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from evenhand.scoring.asking import Ids, Run, Short, padding_of, whole_rows
from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.blocks import (
    Blocks,
    altered,
    below,
    caught_after,
    given_below,
    last_mlp_at_the_head,
)
from evenhand.scoring.forward import SelectedHead, device_of, evaluating, run_inputs, run_rows
from evenhand.scoring.kept import Nodes, States, bits, built, kept_of, table
from evenhand.scoring.memory import ran_out
from evenhand.scoring.packing import Packed
from evenhand.scoring.plan import Plan, Row
from evenhand.scoring.probe import apart, choose, limit
from evenhand.scoring.trees import most_nodes, pack_evenly, refusal, tree_inputs

ROOM = 256
"""Tokens of a packed tree at most, where no row is longer."""
Way = Literal["packed", "padded", "whole"]
_log = logging.getLogger("evenhand.scoring")


@dataclass(frozen=True)
class _From:
    """A `Run` from block `depth` on, the states before it in `states` (None at depth 0)."""

    module: nn.Module
    blocks: Blocks
    depth: int
    states: States | None
    way: Way

    def __call__(self, head: SelectedHead, asked: Sequence[Row]) -> Tensor:
        """Logits [R, vocabulary] as `run_rows` gives them."""
        rows, positions = [row.ids for row in asked], [row.positions for row in asked]
        with ExitStack() as stack:
            stack.enter_context(last_mlp_at_the_head(self.blocks, head))
            if self.way == "packed":
                trees, where = packed(rows, positions, _room(self.module))
                self._begin(stack, [self.states.nodes.of_tree(t) for t in trees] if self.states else [])
                return run_inputs(self.module, head, tree_inputs(self.module, trees), where)
            self._begin(stack, [self.states.nodes.of_row(row) for row in rows] if self.states else [])
            return run_rows(self.module, head, rows, positions, padding=padding_of(self.module))

    def _begin(self, stack: ExitStack, nodes: Sequence[Sequence[int]]) -> None:
        """Give the states of `nodes`, by batch row, to the first block that runs."""
        if self.states is not None:
            padding = "right" if self.way == "packed" else padding_of(self.module)
            handed = self.states.batch(nodes, padding, device_of(self.module))
            stack.enter_context(given_below(self.blocks, self.depth, handed))


def packed(
    rows: Sequence[Ids], positions: Sequence[Sequence[int]], room: int
) -> tuple[list[Packed], list[tuple[int, int]]]:
    """The rows as packed trees, and the (tree, place) pair of each wanted position, row by row, in order."""
    made, count = [], 0
    for ids, wanted in zip(rows, positions, strict=True):
        made.append(Row(ids, tuple((position, 0) for position in wanted), count))
        count += len(wanted)
    trees = pack_evenly(made, room)
    where = [(0, 0)] * count
    for i, tree in enumerate(trees):
        for place, _, slot in tree.wanted:
            where[slot] = (i, place)
    return trees, where


def packed_rows(module: nn.Module) -> Run:
    """The way to run rows packed through all blocks."""
    return _From(module, Blocks(()), 0, None, "packed")


def carried_over(run: Run, module: nn.Module, blocks: Blocks) -> Run:
    """`run`, made by `restart` for another module, for `module` with its `blocks`, which has the same weights
    below the block that `run` begins at.
    """
    return replace(run, module=module, blocks=blocks) if isinstance(run, _From) else whole_rows(module)


def _room(module: nn.Module) -> int:
    return min(ROOM, most_nodes(module) or ROOM)


def restart(module: nn.Module, blocks: Blocks, depth: int, plan: Plan, *, batch_tokens: int) -> Run:
    """The way to run the rows of `plan`, or any beginnings of them, from block `depth` on.

    The states below are taken from those that are kept of `module`, or computed, in passes of at most
    `batch_tokens`. Where hooks are set on the model (see `altered`) or no test is passed, whole rows run.
    """
    if altered(module):
        return whole_rows(module)
    kept = kept_of(module)
    sound = ("restart", depth, *map(id, blocks.blocks))
    for way in _ways(module, plan):
        if kept.sound.get(sound, way) != way:
            continue
        states = _kept_states(module, blocks, depth, plan, (way, batch_tokens)) if depth else None
        found = _From(module, blocks, depth, states, way)
        what = f"{way} rows that begin at block {depth}"
        if sound in kept.sound or agrees(module, found, choose(plan.rows), what):
            kept.sound[sound] = way
            return found
        kept.states.clear()
    kept.sound[sound] = "whole"
    return whole_rows(module)


def _ways(module: nn.Module, plan: Plan) -> tuple[Way, ...]:
    most = most_nodes(module)
    fits = most is None or len(plan.rows[0].ids) <= most
    return ("packed", "padded") if fits and refusal(module) is None else ("padded",)


def _kept_states(module: nn.Module, blocks: Blocks, depth: int, plan: Plan, how: tuple[Way, int]) -> States:
    key = ("states", depth, bits(below(module, blocks, depth)), built(module))
    kept, rows = kept_of(module), [row.ids for row in plan.rows]
    found: States | None = kept.states.find(key)
    if found is None or not found.covers(rows):
        found = _states(module, blocks.blocks[depth - 1], rows, *how)
        kept.states.put(key, found)
    return found


@torch.no_grad()
def _states(module: nn.Module, last: nn.Module, rows: Sequence[Ids], way: Way, tokens: int) -> States:
    """What the block `last` hands on for every beginning of `rows`."""
    nodes, found = Nodes(), list[States]()
    for row in rows:
        nodes.add(row)

    def keep(state: Tensor, size: int, where: Sequence[Sequence[int]], left: bool) -> None:
        # state: [batch rows, longest, width]; where: the node of each real place of each batch row.
        if not found:
            made = table((len(nodes), state.shape[-1]), state, kept_of(module).taken())
            found.append(States(nodes, made, size))
        to = found[0].table
        for i, places in enumerate(where):
            start = state.shape[1] - len(places) if left else 0
            to[places] = state[i, start : start + len(places)].to(to.device)

    def padded(batch: list[Ids]) -> None:
        padding = padding_of(module)
        with SelectedHead(module) as head, caught_after(last) as caught:
            run_rows(module, head, batch, [[len(row) - 1] for row in batch], padding=padding)
        keep(caught[0].state, caught[0].size, [nodes.of_row(row) for row in batch], padding == "left")

    def treed(batch: list[Packed]) -> None:
        with SelectedHead(module) as head, caught_after(last) as caught:
            run_inputs(module, head, tree_inputs(module, batch), [(0, 0)])
        keep(caught[0].state, caught[0].size, [nodes.of_tree(tree) for tree in batch], left=False)

    with evaluating(module):
        if way == "packed":
            trees, _ = packed(rows, [[] for _ in rows], _room(module))
            done = [1 for _ in in_batches(trees, lambda tree: Load(len(tree.ids)), Room(tokens), treed)]
        else:
            done = [1 for _ in in_batches(rows, lambda row: Load(len(row)), Room(tokens), padded)]
    assert done  # a plan has rows
    return found[0]


@torch.no_grad()
def agrees(module: nn.Module, run: Run, rows: Sequence[Row], what: str) -> bool:
    """Whether `run` gives the log-probabilities of whole rows; `what` it runs is for the log."""
    try:
        with evaluating(module), SelectedHead(module) as head:
            short = run(head, rows).log_softmax(-1)  # [R, vocabulary]
            whole = whole_rows(module)(head, rows).log_softmax(-1)
    except Exception as problem:
        if ran_out(problem):
            raise
        _log.warning("%s failed (%s): not used", what, problem)
        return False
    error = apart(short, whole)
    if error is None:
        return False
    passed = error <= limit(module)  # False for NaN, too
    if not passed:
        _log.warning("%s differ by %.1e of the spread: not used", what, error)
    return passed


@dataclass
class HeadInputs:
    """What the head received after some beginnings of rows: `table` [predictions, width], at `places`."""

    places: dict[tuple[Ids, Ids], int]
    table: Tensor

    def covers(self, plan: Plan) -> bool:
        """Whether every prediction that `plan` wants can be read."""
        return all(row.seen(p) in self.places for row in plan.rows for p, _ in row.wanted)

    @property
    def nbytes(self) -> int:
        """The size of the table."""
        return self.table.nbytes

    def run(self, module: nn.Module, like: Run, short: Short) -> Run:
        """A `Run` of the head alone, with what the model does after it; it skips what `like` can skip.

        `short` runs as little of the model as gives its head a number of rows.
        """

        def read(head: SelectedHead, rows: Sequence[Row]) -> Tensor:
            index = [self.places[row.seen(p)] for row in rows for p in row.positions]
            head.feed(self.table[index].to(device_of(module)))
            with ExitStack() as stack:
                if isinstance(like, _From) and like.states is not None:
                    blank = like.states.blank(device_of(module))
                    stack.enter_context(given_below(like.blocks, len(like.blocks), blank))
                # One token goes through the model in their place; its way to the head does not matter.
                return short(head, rows[0], len(index))

        return read


@torch.no_grad()
def head_inputs(module: nn.Module, run: Run, plans: Sequence[Plan]) -> HeadInputs:
    """What the head receives for every prediction that `plans` want, each plan in one pass of `run`."""
    places: dict[tuple[Ids, Ids], int] = {}
    parts: list[Tensor] = []
    count = 0
    for plan in plans:
        with evaluating(module), SelectedHead(module) as head:
            run(head, plan.rows)
            seen = head.hidden
        assert seen is not None  # the pass reached the head
        parts.append(seen)
        for row in plan.rows:
            for p in row.positions:
                places.setdefault(row.seen(p), count)
                count += 1
    return HeadInputs(places, torch.cat(parts))
