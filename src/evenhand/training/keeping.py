"""A loss beside a method's own: the KL divergence to the base on prompts whose answers should not change."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evenhand.models import OpenModel
from evenhand.records import Example
from evenhand.scoring.terms import Outcomes, Prompts
from evenhand.training import objectives
from evenhand.training.restarts import Base, run_above


def moved(now: Outcomes, base: Outcomes, rows: slice) -> Tensor:
    """``KL(base || now)`` over everything that may come next, mean over `rows`; a scalar in nats."""
    kept, given = (torch.cat([of.log_p[rows], of.log_rest[rows]], dim=1) for of in (base, now))
    return objectives.kl(kept, given)


class Keeping:
    """`weight` times the sum over `kinds` of prompts of the mean KL from the base as it is now.

    A batch has row numbers; row i has prompt i of each kind, counted round where there are fewer. The base is
    read on creation, before the parameters `names` are trained.

    Raises:
        BadData, BadModel: the prompts and terms cannot be trained on in the model's tokens.
    """

    def __init__(
        self, model: OpenModel, names: Sequence[str], kinds: Sequence[Sequence[Example]], weight: float
    ) -> None:
        self._kinds, self._weight = [len(kind) for kind in kinds], weight
        self._prompts = Prompts(model, [example for kind in kinds for example in kind])
        self._prompts.check_partition()
        self._run = run_above(model, names, self._prompts)
        self._base = Base(model, names, self._prompts, self._run)
        with torch.no_grad():
            _ = self._base.outcomes([0]).log_p  # all prompts are read with the first

    def __call__(self, rows: Tensor) -> Tensor:
        """The loss of the rows of these numbers, int64 [n]; a scalar in nats."""
        numbers, start = list[int](), 0
        for size in self._kinds:
            numbers += (start + rows % size).tolist()
            start += size
        now, base = self._prompts.outcomes(numbers, self._run), self._base.outcomes(numbers)
        n = len(rows)
        parts = [moved(now, base, slice(i, i + n)) for i in range(0, len(numbers), n)]
        return self._weight * torch.stack(parts).sum()
