"""Rows that begin at a block: everything below it ran once, and its output is kept by text.

`restart` gives the way to run rows for a workload whose weights below block `depth` stay as they are, such as
the fine-tuning of one block. It is tested once per model on a few rows of the workload; a model for which it
gives other log-probabilities runs whole rows instead.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.blocks import Blocks, caught_after, given_below, hooked, last_mlp_at_the_head
from evenhand.scoring.forward import SelectedHead, device_of, evaluating, run_rows
from evenhand.scoring.kept import Nodes, States, bits, kept_of, table
from evenhand.scoring.memory import ran_out
from evenhand.scoring.plan import Plan
from evenhand.scoring.probe import choose, limit
from evenhand.scoring.terms import Ids, Run, padding_of, whole_rows

_log = logging.getLogger("evenhand.scoring")


@dataclass(frozen=True)
class _From:
    """A `Run` from block `depth` on, the states before it in `states` (None at depth 0)."""

    module: nn.Module
    blocks: Blocks
    depth: int
    states: States | None

    def __call__(self, head: SelectedHead, rows: Sequence[Ids], positions: Sequence[Sequence[int]]) -> Tensor:
        """Logits [R, vocabulary] as `run_rows` gives them."""
        padding = padding_of(self.module)
        with ExitStack() as stack:
            if self.states is not None:
                handed = self.states.batch(rows, padding, device_of(self.module))
                stack.enter_context(given_below(self.blocks, self.depth, handed))
            stack.enter_context(last_mlp_at_the_head(self.blocks, head))
            return run_rows(self.module, head, rows, positions, padding=padding)


def restart(module: nn.Module, blocks: Blocks, depth: int, plan: Plan, *, batch_tokens: int) -> Run:
    """The way to run the rows of `plan`, or any beginnings of them, from block `depth` on.

    The states below are taken from those that are kept of `module`, or computed, in passes of at most
    `batch_tokens`. Where hooks are set on the model or the test fails, whole rows run.
    """
    if hooked(module):
        return whole_rows(module)
    kept, below = kept_of(module), _below(module, blocks, depth)
    sound = ("restart", depth, *map(id, blocks.blocks))
    if kept.sound.get(sound) is False:
        return whole_rows(module)
    rows = [row.ids for row in plan.rows]
    key = ("states", depth, bits(below))
    states = kept.find(key) if depth else None
    if depth and (states is None or not states.covers(rows)):
        states = _states(module, blocks, depth, rows, batch_tokens)
        kept.put(key, states)
    found = _From(module, blocks, depth, states)
    if sound not in kept.sound:
        kept.sound[sound] = _sound(found, plan)
    return found if kept.sound[sound] else whole_rows(module)


def _below(module: nn.Module, blocks: Blocks, depth: int) -> list[nn.Parameter]:
    """The parameters outside the blocks from `depth` on."""
    above = {id(p) for block in blocks.blocks[depth:] for p in block.parameters()}
    return [p for p in module.parameters() if id(p) not in above]


@torch.no_grad()
def _states(module: nn.Module, blocks: Blocks, depth: int, rows: Sequence[Ids], batch_tokens: int) -> States:
    nodes, padding = Nodes(), padding_of(module)
    paths = {row: nodes.add(row) for row in rows}
    found: list[States] = []

    def work(batch: list[Ids]) -> None:
        with SelectedHead(module) as head, caught_after(blocks.blocks[depth - 1]) as caught:
            run_rows(module, head, batch, [[len(row) - 1] for row in batch], padding=padding)
        (handed,) = caught
        state = handed.state  # [rows of the batch, longest, width]
        if not found:
            made = table((len(nodes), state.shape[-1]), state, kept_of(module).taken())
            found.append(States(nodes, made, handed.size))
        for i, row in enumerate(batch):
            start = state.shape[1] - len(row) if padding == "left" else 0
            real = state[i, start : start + len(row)]
            found[0].table[paths[row]] = real.to(found[0].table.device)

    with evaluating(module):
        for _ in in_batches(rows, lambda row: Load(len(row)), Room(batch_tokens), work):
            pass
    return found[0]


@torch.no_grad()
def _sound(found: _From, plan: Plan) -> bool:
    """Whether `found` gives the log-probabilities of whole rows on a few rows of `plan`."""
    rows = choose(plan.rows)
    ids = [row.ids for row in rows]
    positions = [sorted({position for position, _ in row.wanted}) for row in rows]
    module = found.module
    try:
        with evaluating(module), SelectedHead(module) as head:
            short = found(head, ids, positions).log_softmax(-1)  # [R, vocabulary]
            whole = whole_rows(module)(head, ids, positions).log_softmax(-1)
    except Exception as problem:
        if ran_out(problem):
            raise
        _log.warning("beginning at block %d failed (%s): not used", found.depth, problem)
        return False
    finite = whole.isfinite()
    if not finite.any():
        return False
    spread = whole[finite].std().clamp_min(1e-3)
    error, bound = float((short - whole)[finite].abs().max() / spread), limit(module)
    if not error <= bound:  # also for NaN
        _log.warning("beginning at block %d differs by %.1e of the spread: not used", found.depth, error)
    return error <= bound


@dataclass
class HeadInputs:
    """What the head received after some beginnings of rows: `table` [predictions, width], at `places`."""

    places: dict[Ids, int]
    table: Tensor

    def covers(self, plan: Plan) -> bool:
        """Whether every prediction that `plan` wants can be read."""
        return all(row.ids[: p + 1] in self.places for row in plan.rows for p, _ in row.wanted)

    def run(self, module: nn.Module, like: Run) -> Run:
        """A `Run` of the head alone, with what the model does after it; it skips what `like` can skip."""

        def read(head: SelectedHead, rows: Sequence[Ids], positions: Sequence[Sequence[int]]) -> Tensor:
            index = [self.places[row[: p + 1]] for row, ps in zip(rows, positions, strict=True) for p in ps]
            head.feed(self.table[index].to(device_of(module)))
            with ExitStack() as stack:
                if isinstance(like, _From) and like.states is not None:
                    blank = like.states.blank(device_of(module))
                    stack.enter_context(given_below(like.blocks, len(like.blocks), blank))
                # One token goes through the model in their place; its way to the head does not matter.
                return run_rows(module, head, [rows[0][:1]], [[0] * len(index)], padding=padding_of(module))

        return read


@torch.no_grad()
def head_inputs(module: nn.Module, run: Run, plans: Sequence[Plan]) -> HeadInputs:
    """What the head receives for every prediction that `plans` want, each plan in one pass of `run`."""
    places: dict[Ids, int] = {}
    parts: list[Tensor] = []
    count = 0
    for plan in plans:
        positions = [sorted({p for p, _ in row.wanted}) for row in plan.rows]
        with evaluating(module), SelectedHead(module) as head:
            run(head, [row.ids for row in plan.rows], positions)
            seen = head.seen
        assert seen is not None  # the pass reached the head
        parts.append(seen)
        for row, ps in zip(plan.rows, positions, strict=True):
            for p in ps:
                places.setdefault(row.ids[: p + 1], count)
                count += 1
    return HeadInputs(places, torch.cat(parts))
