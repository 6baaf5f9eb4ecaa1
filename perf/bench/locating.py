"""The locators, beside the plain way: padded batches, all logits, hooks on the blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from evenhand import registry
from evenhand.records import Continuation, Example

from . import inputs, references, work
from .harness import Case, Numbers, Peer
from .inputs import Setting

BATCH = 32
CLOSE = {"bmi": 1e-3, "gradient": 1e-5, "ablation": 1e-5}
"""Of a score; bmi's is a sum over all tokens, the others' are parts of a gap."""
TARGETS = {"bmi": 2.5, "gradient": 2.5, "ablation": 4.0}


def _case(setting: Setting, name: str) -> Case:
    probes = inputs.examples(setting.of(96, 480))
    model = inputs.causal(setting, [f"{e.context} he she" for e in probes])
    made = registry.create("locator", name)
    plain = {"bmi": bmi, "gradient": gradient, "ablation": ablation}[name]
    return Case(
        f"locate_{name}",
        f"locate --with {name}, {len(probes)} prompts",
        lambda: [one.value for one in made.locate(model, probes, seed=0).scores],
        (Peer("plain", lambda _: plain(model, probes), target=TARGETS[name]),),
        CLOSE[name],
        products(model, probes, name),
    )


def products(model: Any, probes: Sequence[Example], name: str) -> float:
    """Multiply-adds: one forward; a gradient's backward half; for ablation all above each block again.

    Only the last position of a prompt is followed backwards or again: no other one reads it.
    """
    blocks = [work.of_block(model.module.get_submodule(part)) for part in work.block_names(model)]
    tokens, predictions = work.nodes(
        work.spans(model, [Continuation(e.context, form) for e in probes for (form,) in e.terms])
    )
    head = predictions * work.of_head(model)
    if name == "bmi":  # the text alone: nothing is predicted
        return float(tokens * sum(blocks))
    forward = tokens * sum(blocks) + head
    if name == "gradient":
        return float(forward + predictions * sum(blocks[1:]) + head)
    above = sum(sum(blocks[i + 1 :]) for i in range(len(blocks)))
    return float(forward + predictions * above + len(blocks) * head)


@contextmanager
def _seen(model: Any) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """The input and the output [B, T, d] of every block in the newest forward."""
    blocks = [model.module.get_submodule(name) for name in work.block_names(model)]
    found: list[Any] = [None] * len(blocks)

    def hook(number: int) -> Callable[..., None]:
        def keep(module: Any, given: Any, output: Any) -> None:
            found[number] = (given[0], _first(output))

        return keep

    handles = [block.register_forward_hook(hook(i)) for i, block in enumerate(blocks)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _first(output: Any) -> Tensor:
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found


def _batches(model: Any, probes: Sequence[Example]) -> Iterator[tuple[Sequence[Example], dict[str, Tensor]]]:
    for start in range(0, len(probes), BATCH):
        batch = probes[start : start + BATCH]
        yield batch, references.inputs(model, [e.context for e in batch])


def _shares(model: Any, batch: Sequence[Example], logits: Tensor) -> Tensor:
    """The normalised gap of each prompt [B], from logits [B, T, V]."""
    targets = [[references.target(model, Continuation("", form)) for (form,) in e.terms] for e in batch]
    p = logits[:, -1].softmax(-1).gather(1, torch.tensor(targets, device=logits.device))  # [B, k]
    shares = p / p.sum(1, keepdim=True)
    return shares.amax(1) - shares.amin(1)


@torch.no_grad()
def bmi(model: Any, probes: Sequence[Example]) -> Numbers:
    """The sum over real tokens of 1 - cos of each block's input and output."""
    sums = [0.0] * len(work.block_names(model))
    with _seen(model) as found:
        for _, given in _batches(model, probes):
            model.module(**given)
            real = given["attention_mask"].bool()
            for number, (before, after) in enumerate(found):
                cosine = torch.cosine_similarity(before[real].double(), after[real].double(), dim=-1)
                sums[number] += float((1 - cosine).sum())
    return sums


@torch.no_grad()
def _means(model: Any, probes: Sequence[Example]) -> tuple[list[Tensor], float]:
    """Each block's mean contribution [d] at the last positions, and the mean gap."""
    blocks = work.block_names(model)
    sums: list[Any] = [0.0] * len(blocks)
    gap = 0.0
    with _seen(model) as found:
        for batch, given in _batches(model, probes):
            gap += float(_shares(model, batch, model.module(**given).logits).sum())
            for number, (before, after) in enumerate(found):
                sums[number] = sums[number] + (after - before)[:, -1].double().sum(0)
    return [value / len(probes) for value in sums], gap / len(probes)


def gradient(model: Any, probes: Sequence[Example]) -> Numbers:
    """One pass for the means, a second one with its backward half for the scores."""
    means, _ = _means(model, probes)
    scores = [0.0] * len(means)
    for batch, given in _batches(model, probes):
        with _seen(model) as found:
            total = _shares(model, batch, model.module(**given).logits).sum() / len(probes)
            slopes = torch.autograd.grad(total, [after for _, after in found])
        for number, ((before, after), slope) in enumerate(zip(found, slopes, strict=True)):
            own = (after - before)[:, -1].detach().double() - means[number]
            scores[number] += float((slope[:, -1].double() * own).sum())
    return scores


@torch.no_grad()
def ablation(model: Any, probes: Sequence[Example]) -> Numbers:
    """A whole pass a block, its contribution at the last position replaced by the mean."""
    means, whole = _means(model, probes)
    scores = []
    for number, name in enumerate(work.block_names(model)):

        def replaced(module: Any, given: Any, output: Any, number: int = number) -> Any:
            changed = _first(output).clone()
            changed[:, -1] = given[0][:, -1] + means[number].to(changed)
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        handle = model.module.get_submodule(name).register_forward_hook(replaced)
        try:
            gap = sum(
                float(_shares(model, batch, model.module(**given).logits).sum())
                for batch, given in _batches(model, probes)
            )
        finally:
            handle.remove()
        scores.append(whole - gap / len(probes))
    return scores


CASES: Mapping[str, Callable[[Setting], Case]] = {
    "locate_bmi": lambda setting: _case(setting, "bmi"),
    "locate_gradient": lambda setting: _case(setting, "gradient"),
    "locate_ablation": lambda setting: _case(setting, "ablation"),
}
