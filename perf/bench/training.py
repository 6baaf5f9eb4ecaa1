"""Tuning one block as LFTF does, beside the usual loop; and measuring again afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from evenhand.mitigations.lftf import Lftf
from evenhand.records import Continuation, Example
from evenhand.training.loop import shuffled

from . import inputs, references, work
from .harness import Case, Numbers, Peer
from .inputs import Setting
from .scoring import CLOSE, answers

BATCH, EPOCHS, RATE = 32, 2, 1e-4
CLOSE_LOSS = 1e-4
"""Of a loss in nats. AdamW turns rounding into steps where a gradient is near 0, so that weights cannot be
compared to rounding; the losses of the first and of the last step can."""


def _block(setting: Setting, number: int, name: str, target: float) -> Case:
    examples = inputs.examples(setting.of(96, 480))
    model = inputs.causal(setting, [f"{e.context} he she" for e in examples])
    method = Lftf(loss="nll", blocks=str(number), lr=RATE, epochs=EPOCHS, batch=BATCH)

    def ours() -> Numbers:
        details: Any = method.fit(model, examples, sites=None, seed=0).about.details
        return [details["first_loss"], details["last_loss"]]

    return Case(
        name,
        f"LFTF, block {number} of {setting.layers}, {len(examples)} prompts, {EPOCHS} epochs of {BATCH}",
        ours,
        (Peer("the usual loop", lambda _: usual_loop(model, examples, number), target=target),),
        CLOSE_LOSS,
        products(model, examples, number),
    )


def usual_loop(model: Any, examples: Sequence[Example], number: int) -> Numbers:
    """Padded batches through the whole model, logits everywhere, gradients in one block: the losses' ends.

    The same batches, optimiser and loss as ours; the weights are put back.
    """
    block = model.module.get_submodule(work.block_names(model)[number])
    tuned = list(block.parameters())
    kept = [p.detach().clone() for p in tuned]
    model.module.requires_grad_(False)
    block.requires_grad_(True)
    optimiser = torch.optim.AdamW(tuned, lr=RATE, weight_decay=0.0, fused=True)
    targets = [[references.target(model, Continuation("", form)) for (form,) in e.terms] for e in examples]
    losses: list[float] = []
    for chosen in shuffled(len(examples), BATCH, epochs=EPOCHS, seed=0):
        rows = chosen.tolist()
        logits = model.module(**references.inputs(model, [examples[i].context for i in rows])).logits
        log_p = logits[:, -1].log_softmax(-1)  # [B, V]
        wanted = torch.tensor([targets[i] for i in rows], device=log_p.device)  # [B, 2]
        loss = -log_p.gather(1, wanted).mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
    with torch.no_grad():
        for parameter, value in zip(tuned, kept, strict=True):
            parameter.copy_(value)
    model.module.requires_grad_(True)
    return [losses[0], losses[-1]]


def products(model: Any, examples: Sequence[Example], number: int) -> float:
    """Multiply-adds of the method with the block's input kept.

    Once: the blocks below, over the distinct tokens. Each epoch: forward, gradient of the input and gradient
    of the weights in the block; forward and gradient of the input above it and in the head. In the last block
    the half after the attention is needed where something is predicted, and nowhere else.
    """
    blocks = [work.of_block(model.module.get_submodule(name)) for name in work.block_names(model)]
    asked = work.spans(model, [Continuation(e.context, form) for e in examples for (form,) in e.terms])
    tokens, predictions = work.nodes(asked)
    last = number == len(blocks) - 1
    own, above = blocks[number], sum(blocks[number + 1 :])
    in_block = tokens * own / 3 + predictions * own * 2 / 3 if last else tokens * own
    epoch = 3 * in_block + 2 * tokens * above + 2 * predictions * work.of_head(model)
    return float(tokens * sum(blocks[:number]) + EPOCHS * epoch)


def again(setting: Setting) -> Case:
    """The answers after the last block was changed."""
    items = inputs.prompts(setting.of(192, 2358))
    model = inputs.causal(setting, [i.context + i.text for i in items])
    block = model.module.get_submodule(work.block_names(model)[-1])
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.mul_(1.01)
    tokens, predictions = work.nodes(work.spans(model, items))
    return Case(
        "again",
        f"Measuring again after the last block changed, {len(items) // 2} prompts",
        answers(model, items),
        (Peer("padded batches", lambda size: references.padded(model, items, size), (32, 128), target=10),),
        CLOSE,
        float(tokens * work.of_block(block) + predictions * work.of_head(model)),
    )


CASES: Mapping[str, Callable[[Setting], Case]] = {
    "lftf_last": lambda setting: _block(setting, setting.layers - 1, "lftf_last", 4.5),
    "lftf_middle": lambda setting: _block(setting, setting.layers // 2, "lftf_middle", 2.5),
    "again": again,
}
