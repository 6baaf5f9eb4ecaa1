"""What a module gets and gives at one token of a prompt, and answers with more added there.

Everything below the edited block stays as it is while a value is sought, so it runs once for a prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evenhand.errors import BadModel
from evenhand.hooks import tap
from evenhand.mitigations._editing.subjects import Token, places
from evenhand.models import OpenModel
from evenhand.records import Example
from evenhand.scoring.asking import Ids, Run, padding_of
from evenhand.scoring.blocks import Handed, caught_after, given_below, last_mlp_at_the_head
from evenhand.scoring.forward import SelectedHead, device_of, evaluating, run_rows
from evenhand.scoring.kept import kept_of
from evenhand.scoring.plan import Row
from evenhand.scoring.probe import choose
from evenhand.scoring.restarting import agrees
from evenhand.scoring.terms import Prompts
from evenhand.scoring.tokens import Encoder

_TOKENS = 2048


def batch_tokens(model: OpenModel) -> int:
    """How many tokens a batch may have."""
    return getattr(model, "batch_tokens", _TOKENS)


def passing(
    model: OpenModel, module: nn.Module, block: int, rows: Sequence[Ids]
) -> Iterator[tuple[list[Ids], Tensor, Tensor]]:
    """Batches of `rows`, padded on the left, with what `module` of the block got and gave in each.

    Both are [rows, longest, width]. A pass ends after the block; gradients are the caller's.

    Raises:
        BadModel: the model pads on the right.
    """
    if padding_of(model.module) != "left":
        raise BadModel("A model with a state from token to token cannot be edited.", mend="Use --with lftf.")
    above = model.layout.module(f"block.{block}")
    ordered, start = sorted(rows, key=len), 0
    limit = batch_tokens(model)
    while start < len(ordered):
        stop = start + 1
        while stop < len(ordered) and len(ordered[stop]) * (stop + 1 - start) <= limit:
            stop += 1
        batch = ordered[start:stop]
        seen: list[tuple[Tensor, Tensor]] = []
        with (
            evaluating(model.module),
            SelectedHead(model.module) as head,
            tap(module, module, lambda output, given, seen=seen: seen.append((given, output))),  # type: ignore[misc]
            caught_after(above),
        ):
            run_rows(model.module, head, batch, [[len(row) - 1] for row in batch])
        given, output = (part.reshape(len(batch), -1, part.shape[-1]) for part in seen[0])
        yield batch, given, output
        start = stop


@torch.no_grad()
def at_tokens(
    model: OpenModel,
    module: nn.Module,
    block: int,
    examples: Sequence[Example],
    token: Token = "subject_last",
) -> tuple[Tensor, Tensor]:
    """What `module` of the block gets and gives at the `token` of each prompt: [N, in] and [N, out].

    Nothing after that token is run: a causal model's states there do not depend on it. float64.
    """
    ids = Encoder.of(model.module, model.tokenizer).prompts([example.context for example in examples])
    begun = [row[: place + 1] for row, place in zip(ids, places(model, examples, token), strict=True)]
    found: dict[Ids, tuple[Tensor, Tensor]] = {}
    for batch, given, output in passing(model, module, block, list(dict.fromkeys(begun))):
        for i, row in enumerate(batch):
            found[row] = given[i, -1].double().cpu(), output[i, -1].double().cpu()
    keys, values = zip(*(found[row] for row in begun), strict=True)
    return torch.stack(keys), torch.stack(values)


@dataclass(frozen=True)
class Place:
    """Where an addition goes: the output of `module`, a part of block `block` or the block, at `token`."""

    module: nn.Module
    block: int
    token: Token = "subject_last"


class Passages:
    """Prompts that run from a block on, with an addition of their request's at one token.

    `owners[i]` is the number of the request that example i belongs to. A model of which a pass that begins
    at the block gives other answers than a whole one runs whole rows.

    Raises:
        RuntimeError: a prompt is the beginning of another one of another request, so that they share a row.
    """

    def __init__(
        self, model: OpenModel, at: Place, examples: Sequence[Example], owners: Sequence[int]
    ) -> None:
        self._model, self._at = model, at
        self.owners = tuple(owners)
        self._blocks = model.layout.as_blocks()
        self.prompts = Prompts(model, examples)
        where = places(model, examples, at.token)
        # Each row that may run: its request, and the place of the addition.
        self._of = {
            row.ids: (owners[i], where[i])
            for i in range(len(examples))
            for row in self.prompts.plan([i]).rows
        }
        if len(self._of) != sum(len(self.prompts.plan([i]).rows) for i in range(len(examples))) or {
            row.ids for row in self.prompts.plan(range(len(examples))).rows
        } != set(self._of):
            raise RuntimeError("prompts of one batch share a row")
        self._states: dict[Ids, Tensor] = {}
        self._size = 0
        if at.block:
            self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        """Run every row up to the block."""
        module, before = self._model.module, self._at.block - 1
        below, rows = self._blocks.blocks[before], list(self._of)
        for batch, _, state in passing(self._model, below, before, rows):
            for i, row in enumerate(batch):
                self._states[row] = state[i, -len(row) :].clone()
        with evaluating(module), SelectedHead(module) as head, caught_after(below) as caught:
            run_rows(module, head, [rows[0]], [[0]])
        self._size = caught[0].size
        few = choose(self.prompts.plan(range(len(self.owners))).rows)
        what = f"edited rows that begin at block {self._at.block}"
        if not kept_of(module).passes(what, lambda: agrees(module, self.run(None), few, what)):
            self._states = {}

    def run(self, added: Tensor | None) -> Run:
        """The way to run these prompts, with `added` [requests, width] at each one's token."""

        def go(head: SelectedHead, asked: Sequence[Row]) -> Tensor:
            rows, positions = [row.ids for row in asked], [row.positions for row in asked]
            width = max(map(len, rows))
            with ExitStack() as stack:
                if self._at.block < len(self._blocks) - 1:  # what is added there may not be read by the head
                    stack.enter_context(last_mlp_at_the_head(self._blocks, head))
                if self._states:
                    stack.enter_context(given_below(self._blocks, self._at.block, self._handed(rows, width)))
                if added is not None:
                    stack.enter_context(self._adding(added, rows, width))
                return run_rows(self._model.module, head, rows, positions)

        return go

    def _adding(self, added: Tensor, rows: Sequence[Ids], width: int) -> ExitStack:
        owners = [self._of[row][0] for row in rows]
        where = torch.tensor([width - len(row) + self._of[row][1] for row in rows])
        device = device_of(self._model.module)
        index = torch.arange(len(rows), device=device), where.to(device)
        of_row = added[owners]  # [rows, width]

        def add(output: Tensor, _: Tensor) -> Tensor:
            wide = output.reshape(len(rows), -1, output.shape[-1])  # OPT gives [rows * tokens, width]
            return wide.index_put(index, of_row.to(wide), accumulate=True).view_as(output)

        stack = ExitStack()
        stack.enter_context(tap(self._at.module, self._at.module, add))
        return stack

    def _handed(self, rows: Sequence[Ids], width: int) -> Handed:
        padded = [torch.nn.functional.pad(self._states[row], (0, 0, width - len(row), 0)) for row in rows]
        return Handed(torch.stack(padded), self._size)
