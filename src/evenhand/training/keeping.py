"""A loss beside a method's own: the KL divergence to the base on prompts whose answers should not change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evenhand.models import OpenModel
from evenhand.records import Example
from evenhand.scoring.terms import Outcomes
from evenhand.training import objectives
from evenhand.training.means import Mean, single
from evenhand.training.restarts import Trained


def moved(now: Outcomes, base: Outcomes, rows: slice) -> Tensor:
    """``KL(base || now)`` over everything that may come next, mean over `rows`; a scalar in nats."""
    kept, given = (torch.cat([of.log_p[rows], of.log_rest[rows]], dim=1) for of in (base, now))
    return objectives.kl(kept, given)


class Keeping:
    """`weight` times the sum over `kinds` of prompts of the mean KL from the base as it is now.

    A batch has row numbers; row i has prompt i of each kind, counted round where there are fewer. The `base`
    is read on creation, before the parameters `names` of `model` are trained (see
    `evenhand.training.means.Objective`).

    Raises:
        BadData, BadModel: the prompts and terms cannot be trained on in the model's tokens.
    """

    def __init__(
        self,
        model: OpenModel,
        base: OpenModel,
        names: Sequence[str],
        kinds: Sequence[Sequence[Example]],
        weight: float,
    ) -> None:
        self._kinds, self._weight = [len(kind) for kind in kinds], weight
        self._prompts = Trained(model, base, names, [example for kind in kinds for example in kind])
        with torch.no_grad():
            _ = self._prompts.base.outcomes([0]).log_p  # all prompts are read with the first

    def __call__(self, rows: Tensor) -> Tensor:
        """The loss of the rows of these numbers, int64 [n]; a scalar in nats."""
        numbers, start = list[int](), 0
        for size in self._kinds:
            numbers += (start + rows % size).tolist()
            start += size
        now, base = self._prompts.now(numbers), self._prompts.base.outcomes(numbers)
        n = len(rows)
        parts = [moved(now, base, slice(i, i + n)) for i in range(0, len(numbers), n)]
        return self._weight * torch.stack(parts).sum()


@dataclass(frozen=True)
class Kept:
    """The objective of `Keeping`, for so many `rows`."""

    names: tuple[str, ...]
    kinds: tuple[Sequence[Example], ...]
    weight: float
    rows: int

    def __call__(self, model: OpenModel, base: OpenModel) -> tuple[Mean]:
        """The one term.

        Raises:
            BadData, BadModel: as for `Keeping`.
        """
        return single(Keeping(model, base, self.names, self.kinds, self.weight), self.rows)
