"""Fairness in the loss for any torch classifier: fit it on rows, true classes and groups.

A loop of your own needs only `evenhand.training.fair_losses.GroupGapLoss`. With Hugging Face's
Trainer, keep the group in the batch (``remove_unused_columns=False``) and take it out before the model sees
it::

    class FairTrainer(Trainer):
        fair = GroupGapLoss(lam=0.1)

        def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
            group, labels = inputs.pop("group"), inputs.pop("labels")
            outputs = model(**inputs)
            loss = self.fair(outputs.logits, labels, group)
            return (loss, outputs) if return_outputs else loss

Leave ``gradient_accumulation_steps`` at 1: the gap of a large batch is not the sum of small batches' gaps.
For a loop of your own with a ``DataLoader``, `evenhand.training.fair_losses.stratified` gives the batches::

    batches = [rows.tolist() for rows in stratified(groups, 32, epochs=20, seed=0)]
    loader = DataLoader(data, batch_sampler=batches)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from evenhand.errors import BadData
from evenhand.training.fair_losses import GroupGapLoss, stratified
from evenhand.training.loop import Schedule, minimise

Rows = Tensor | Mapping[str, Tensor]


@dataclass(frozen=True)
class Fit:
    """How to fit, by default with Adam at 1e-3 for 20 epochs.

    `lr` is constant, `batch` the number of rows in a step, `seed` that of the batches and of dropout.
    """

    lr: float = 1e-3
    epochs: int = 20
    batch: int = 32
    seed: int = 0


def fit_classifier(
    module: nn.Module,
    rows: Rows,
    classes: Tensor,
    groups: Sequence[str] | Sequence[int],
    *,
    loss: GroupGapLoss | None = None,
    how: Fit | None = None,
) -> list[float]:
    """Train every parameter of `module` that needs a gradient, in place; returns the loss of each step.

    `rows` is a tensor [N, ...] or, for a Hugging Face classifier, named tensors of N rows; `module(rows)` (or
    ``module(**rows)``) gives logits [N, C] or an object that has them as `logits`. `classes` [N] are
    integers. Batches hold every group. `loss` defaults to lam = 0.1. The training flag is put back.

    Raises:
        BadData: different numbers of rows, or everyone is of one group.
        BadOption: a batch could not hold one member of each group.
        BadModel: the loss is not finite.
    """
    loss, how = loss or GroupGapLoss(), how or Fit()
    names = sorted(set(groups), key=str)
    _check(rows, classes, groups)
    place = {name: i for i, name in enumerate(names)}
    of_row = torch.tensor([place[name] for name in groups], device=classes.device)
    batches = list(stratified(of_row.tolist(), how.batch, epochs=how.epochs, seed=how.seed))

    def batch_loss(chosen: Tensor) -> Tensor:
        return loss(
            _logits(module, rows, chosen), _at(classes, chosen), _at(of_row.to(classes.device), chosen)
        )

    parameters = [p for p in module.parameters() if p.requires_grad]
    was_training = module.training
    try:
        with torch.random.fork_rng(), torch.enable_grad():  # dropout must repeat, and leave no trace
            torch.manual_seed(how.seed)
            module.train()
            return minimise(batch_loss, parameters, batches, Schedule(how.lr), steps=len(batches))
    finally:
        module.train(was_training)


def _logits(module: nn.Module, rows: Rows, chosen: Tensor) -> Tensor:
    if isinstance(rows, Tensor):
        found: Any = module(_at(rows, chosen))
    else:
        found = module(**{name: _at(value, chosen) for name, value in rows.items()})
    logits: Tensor = getattr(found, "logits", found)
    return logits


def _at(values: Tensor, chosen: Tensor) -> Tensor:
    return values[chosen.to(values.device)]


def _check(rows: Rows, classes: Tensor, groups: Sequence[Any]) -> None:
    tables = {"rows": rows} if isinstance(rows, Tensor) else dict(rows)
    lengths = {name: len(value) for name, value in tables.items()}
    lengths |= {"classes": len(classes), "groups": len(groups)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise BadData(f"The numbers of rows differ: {told}.", mend="Give one of each for every person.")
    if len(set(groups)) < 2:
        raise BadData(
            f"All people are of the group {groups[0]!r}."
            if len(groups)
            else "There are no people to train on.",
            mend="Give people of at least two groups.",
        )
