"""Tuning one block as LFTF does, beside the usual loop; and measuring again afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from evenhand.mitigations.lftf import Lftf
from evenhand.records import Continuation, Example
from evenhand.scoring.kept import forget
from evenhand.scoring.terms import Prompts
from evenhand.training.loop import shuffled
from evenhand.training.objectives import nll
from evenhand.training.restarts import run_above
from evenhand.treatments import About
from evenhand.treatments.weights import WeightTreatment

from . import inputs, references, work
from .harness import Case, Numbers, Peer
from .inputs import Setting
from .scoring import CLOSE, answers

BATCH, EPOCHS, RATE = 32, 2, 1e-4
DESCENT, CLOSE_WEIGHTS = 0.1, 1e-6
"""The learning rate of plain SGD, and the largest difference of a weight after it."""
MOST = 10**6
"""About so many weights are compared, evenly spread."""
CLOSE_LOSS = 1e-4
"""Of a loss in nats. AdamW turns rounding into steps where a gradient is near 0, so that weights cannot be
compared to rounding; the losses of the first and of the last step can."""


def _block(setting: Setting, number: int, name: str, target: float, *, kept: bool = False) -> Case:
    """One fit; with `kept` after an earlier one, whose states below the block are still there."""
    examples = inputs.examples(setting.of(96, 480))
    model = inputs.causal(setting, [f"{e.context} he she" for e in examples])
    method = Lftf(loss="nll", blocks=str(number), lr=RATE, epochs=EPOCHS, batch=BATCH)

    def ours() -> Numbers:
        if not kept:
            forget(model.module)
        details: Any = method.fit(model, examples, sites=None, seed=0).about.details
        return [details["first_loss"], details["last_loss"]]

    return Case(
        name,
        f"LFTF, block {number} of {setting.layers}, {len(examples)} prompts, {EPOCHS} epochs of {BATCH}"
        + (", after an earlier fit" if kept else ""),
        ours,
        (Peer("the usual loop", lambda _: usual_loop(model, examples, number), target=target),),
        CLOSE_LOSS,
        products(model, examples, number, kept=kept),
    )


def usual_loop(model: Any, examples: Sequence[Example], number: int) -> Numbers:
    """Padded batches through the whole model, logits everywhere, gradients in one block: the losses' ends.

    The same batches, optimiser and loss as ours; the weights are put back.
    """
    with _tuned(model, number) as parameters:
        optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0, fused=True)
        losses = _steps(len(examples), _usual(model, examples), optimiser)
    return [losses[0], losses[-1]]


@contextmanager
def _tuned(model: Any, number: int) -> Iterator[list[torch.nn.Parameter]]:
    """The parameters of one block, which alone have gradients; their values are put back."""
    block = model.module.get_submodule(work.block_names(model)[number])
    parameters = list(block.parameters())
    kept = [p.detach().clone() for p in parameters]
    model.module.requires_grad_(False)
    block.requires_grad_(True)
    try:
        yield parameters
    finally:
        with torch.no_grad():
            for parameter, value in zip(parameters, kept, strict=True):
                parameter.copy_(value)
        model.module.requires_grad_(True)


def _usual(model: Any, examples: Sequence[Example]) -> Callable[[list[int]], torch.Tensor]:
    """LFTF's loss on some of the `examples`, by a padded batch through the whole model."""
    targets = [[references.target(model, Continuation("", form)) for (form,) in e.terms] for e in examples]

    def loss(rows: list[int]) -> torch.Tensor:
        logits = model.module(**references.inputs(model, [examples[i].context for i in rows])).logits
        log_p = logits[:, -1].log_softmax(-1)  # [B, V]
        wanted = torch.tensor([targets[i] for i in rows], device=log_p.device)  # [B, 2]
        mean: torch.Tensor = -log_p.gather(1, wanted).mean()
        return mean

    return loss


def _steps(
    n: int, loss: Callable[[list[int]], torch.Tensor], optimiser: torch.optim.Optimizer
) -> list[float]:
    """The loss of every step over `EPOCHS` of the batches that LFTF takes."""
    losses: list[float] = []
    for chosen in shuffled(n, BATCH, epochs=EPOCHS, seed=0):
        value = loss(chosen.tolist())
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(float(value.detach()))
    return losses


def plain_descent(setting: Setting) -> Case:
    """The weights themselves, by plain SGD, whose steps are as large as the gradients and turn no rounding
    into steps.
    """
    number = setting.layers - 1
    examples = inputs.examples(setting.of(96, 480))
    model = inputs.causal(setting, [f"{e.context} he she" for e in examples])

    def descended(loss: Callable[[list[int]], torch.Tensor]) -> Numbers:
        with _tuned(model, number) as parameters:
            before = torch.cat([p.detach().flatten() for p in parameters])
            _steps(len(examples), loss, torch.optim.SGD(parameters, lr=DESCENT))
            after = torch.cat([p.detach().flatten() for p in parameters])
        moved[:] = [float((after - before).abs().max())]
        weights: list[float] = after[:: max(1, len(after) // MOST)].tolist()
        return weights

    def ours() -> Numbers:
        forget(model.module)
        prompts = Prompts(model, examples)
        run = run_above(model, list(model.layout.parameters(f"block.{number}")), prompts)
        return descended(lambda rows: nll(prompts.outcomes(rows, run).log_p))

    moved: list[float] = []
    return Case(
        "lftf_sgd",
        f"LFTF's loss by plain SGD, block {number} of {setting.layers}, {len(examples)} prompts, "
        f"{EPOCHS} epochs of {BATCH}: the weights",
        ours,
        (Peer("the usual loop", lambda _: descended(_usual(model, examples))),),
        CLOSE_WEIGHTS,
        detail=lambda: f"weights moved by up to {moved[0]:.1e}",
    )


def products(model: Any, examples: Sequence[Example], number: int, *, kept: bool = False) -> float:
    """Multiply-adds of the method with the block's input kept.

    Once, and never where an earlier fit left it (`kept`): the blocks below, over the distinct tokens. Each
    epoch: forward, gradient of the input and gradient of the weights in the block; forward and gradient of
    the input above it and in the head. In the last block the half after the attention is needed where
    something is predicted, and nowhere else.
    """
    blocks = [work.of_block(model.module.get_submodule(name)) for name in work.block_names(model)]
    asked = work.spans(model, [Continuation(e.context, form) for e in examples for (form,) in e.terms])
    tokens, predictions = work.nodes(asked)
    last = number == len(blocks) - 1
    own, above = blocks[number], sum(blocks[number + 1 :])
    in_block = tokens * own / 3 + predictions * own * 2 / 3 if last else tokens * own
    epoch = 3 * in_block + 2 * tokens * above + 2 * predictions * work.of_head(model)
    below = 0 if kept else tokens * sum(blocks[:number])
    return float(below + EPOCHS * epoch)


def again(setting: Setting) -> Case:
    """The answers of a further model whose last block was changed, as a study measures them.

    Two such models were measured before: the engine notes the passes of the first and keeps what lies below
    the block of the second.
    """
    items = inputs.prompts(setting.of(192, 2358))
    model = inputs.causal(setting, [i.context + i.text for i in items])
    site = model.layout.blocks()[-1]
    changed = {name: p.detach() * 1.01 for name, p in model.layout.parameters(site).items()}
    treatment = WeightTreatment(About("scaled", model.spec.digest, 0), changed)

    def ours() -> Numbers:
        with treatment.applied(model) as treated:
            return answers(treated, items)()

    def padded(size: int) -> Numbers:
        kept = {name: model.module.get_parameter(name).detach().clone() for name in changed}
        try:
            _set(model, changed)
            return references.padded(model, items, size)
        finally:
            _set(model, kept)

    for _ in range(2):
        ours()
    tokens, predictions = work.nodes(work.spans(model, items))
    block = model.module.get_submodule(work.block_names(model)[-1])
    return Case(
        "again",
        f"Measuring again after the last block changed, {len(items) // 2} prompts, two such models before",
        ours,
        (Peer("padded batches", padded, (32, 128), target=10),),
        CLOSE,
        float(tokens * work.of_block(block) + predictions * work.of_head(model)),
    )


@torch.no_grad()
def _set(model: Any, values: Mapping[str, torch.Tensor]) -> None:
    for name, value in values.items():
        model.module.get_parameter(name).copy_(value)


CASES: Mapping[str, Callable[[Setting], Case]] = {
    "lftf_last": lambda setting: _block(setting, setting.layers - 1, "lftf_last", 4.5),
    "lftf_middle": lambda setting: _block(setting, setting.layers // 2, "lftf_middle", 2.5),
    "lftf_kept": lambda setting: _block(setting, setting.layers - 1, "lftf_kept", 8, kept=True),
    "lftf_sgd": plain_descent,
    "again": again,
}
