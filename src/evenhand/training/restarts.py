"""How a fit runs its prompts: from the lowest trained block, beside the base's answers to the same ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from evenhand.architectures.checking import output_embeddings
from evenhand.errors import BadModel
from evenhand.models import OpenModel
from evenhand.records import Example
from evenhand.scoring.asking import Run
from evenhand.scoring.blocks import Blocks, altered
from evenhand.scoring.kept import bits, built, counted, kept_of
from evenhand.scoring.restarting import HeadInputs, carried_over, head_inputs, restart
from evenhand.scoring.terms import Outcomes, Prompts

_BATCH = 32
_TOKENS = 2048


def run_above(model: OpenModel, names: Sequence[str], prompts: Prompts) -> Run:
    """The way to run `prompts` while only the parameters `names` change: blocks below all of them run once.

    Where a parameter lies outside the blocks, the model has no layout, or a token sees those after it, every
    block runs.
    """
    if not prompts.asking.restarts:
        return prompts.asking.run
    blocks, depth = Blocks(()), 0
    with contextlib.suppress(BadModel):  # no layout
        blocks, depth = model.layout.as_blocks(), model.layout.lowest(names)
    tokens = getattr(model, "batch_tokens", _TOKENS)
    return restart(model.module, blocks, depth, prompts.plan(range(len(prompts))), batch_tokens=tokens)


class Trained:
    """Prompts with the answers of the model that is trained, and those of the base.

    `model` and `base` are as in `evenhand.training.means.Objective`. What runs once below the parameters
    `names` runs in `base`.

    Raises:
        BadData, BadModel: the prompts and terms cannot be trained on in the model's tokens.
    """

    def __init__(
        self, model: OpenModel, base: OpenModel, names: Sequence[str], examples: Sequence[Example]
    ) -> None:
        own = Prompts(base, examples)
        own.check_partition()
        run = run_above(base, names, own)
        self.base = Base(base, names, own, run)
        self._now, self._run = own, run
        if model is not base:
            self._now = Prompts(model, examples)
            self._run = _of_copy(model, run) if own.asking.restarts else self._now.asking.run

    def now(self, rows: Sequence[int]) -> Outcomes:
        """The outcomes on the prompts of the numbers `rows`, with gradients where they are on."""
        return self._now.outcomes(rows, self._run)


def _of_copy(model: OpenModel, run: Run) -> Run:
    blocks = Blocks(())
    with contextlib.suppress(BadModel):  # no layout
        blocks = model.layout.as_blocks()
    return carried_over(run, model.module, blocks)


class Base:
    """The answers of the model as it is now, before the parameters `names` are trained.

    For every prompt only the head's input is kept, and only once a loss reads an answer; a batch's
    distributions over the vocabulary are made from it when they are read. Fits of the same model on the same
    prompts share it.
    """

    def __init__(self, model: OpenModel, names: Sequence[str], prompts: Prompts, run: Run) -> None:
        self._module = model.module
        self._prompts = prompts
        self._run = run
        self._begun = counted(model.module.parameters())
        self._inputs: HeadInputs | None = None
        head = output_embeddings(model.module)
        parameters = dict(model.module.named_parameters())
        own = {id(p) for p in head.parameters()} if head is not None else set()
        trained = [parameters[name] for name in names if id(parameters[name]) in own]
        self._head = [(p, p.detach().clone()) for p in trained]

    def outcomes(self, rows: Sequence[int]) -> Outcomes:
        """The base's outcomes on the prompts of the numbers `rows`, without gradients."""
        found: list[Outcomes] = []

        def read() -> Outcomes:
            if not found:
                found.append(self._read(rows))
            return found[0]

        return Outcomes(lambda: read().log_p, lambda: read().log_rest)

    @torch.no_grad()
    def _read(self, rows: Sequence[int]) -> Outcomes:
        if self._inputs is None:
            self._inputs = self._computed()
        run = self._inputs.run(self._module, self._run, self._prompts.asking.short)
        with _holding(self._head):
            made = self._prompts.outcomes(rows, run)
            return Outcomes(made.log_p, made.log_rest)

    def _computed(self) -> HeadInputs:
        kept, n = kept_of(self._module), len(self._prompts)
        if counted(self._module.parameters()) != self._begun:
            raise RuntimeError("a loss that reads the base must read it from the first step on")
        key = ("head", bits(self._module.parameters()), built(self._module))
        found: HeadInputs | None = None if altered(self._module) else kept.states.find(key)
        if found is not None and found.covers(self._prompts.plan(range(n))):
            return found
        plans = [self._prompts.plan(range(i, min(n, i + _BATCH))) for i in range(0, n, _BATCH)]
        found = head_inputs(self._module, self._run, plans)
        if not altered(self._module):
            kept.states.put(key, found)
        return found


@contextmanager
def _holding(values: Sequence[tuple[nn.Parameter, Tensor]]) -> Iterator[None]:
    """Inside, the parameters hold these values: their storage is exchanged, nothing is copied."""
    own = [parameter.data for parameter, _ in values]
    for parameter, value in values:
        parameter.data = value
    try:
        yield
    finally:
        for (parameter, _), value in zip(values, own, strict=True):
            parameter.data = value
