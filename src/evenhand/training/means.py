"""What a training minimises: a sum of means over the rows of a batch, each made for a module.

A mean says how many numbers each row gives it: tokens of a text, one for a prompt. So several processes can
take parts of a batch and still follow the gradient of the whole one (`evenhand.training.sharded`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from evenhand.models import OpenModel

Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Mean:
    """One term of a loss.

    `of` gives it for row numbers (int64 [n]), a scalar: the mean over the numbers of these rows. `counts`
    [rows], int64, is how many each row of the data has; a row with 0 has no part in it, and is not given.
    """

    of: Loss
    counts: Tensor

    def among(self, chosen: Tensor) -> Tensor:
        """Those of the rows `chosen` [n] that have part in it, in order."""
        return chosen[self.counts[chosen] > 0]


class Objective(Protocol):
    """How a loss is made for a model: once for each process that trains, so it can be sent to others.

    `model` is trained. `base` holds the model's own values, and is to be read before the first step where it
    is the same one.

    Raises:
        BadData, BadModel: the rows cannot be trained on, in all processes.
    """

    def __call__(self, model: OpenModel, base: OpenModel) -> Sequence[Mean]:
        """The terms, whose sum is minimised."""
        ...


def single(of: Loss, rows: int) -> tuple[Mean]:
    """The one term of a loss that is a mean over so many `rows`, each of which counts once."""
    return (Mean(of, torch.ones(rows, dtype=torch.int64)),)


def beside(objective: Objective, other: Objective | None) -> Objective:
    """The sum of both; `objective` alone without an `other`."""
    return objective if other is None else Both(objective, other)


@dataclass(frozen=True)
class Both:
    """The terms of two objectives about the same rows."""

    first: Objective
    second: Objective

    def __call__(self, model: OpenModel, base: OpenModel) -> Sequence[Mean]:
        """The terms of `first`, then those of `second`."""
        return (*self.first(model, base), *self.second(model, base))


def whole(means: Sequence[Mean]) -> Loss:
    """The sum of the means over a batch; not a number where no row has part in any of them."""

    def loss(chosen: Tensor) -> Tensor:
        parts = [mean.of(rows) for mean in means if len(rows := mean.among(chosen))]
        return torch.stack(parts).sum() if parts else torch.tensor(torch.nan)

    return loss
