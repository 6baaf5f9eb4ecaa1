"""Fairness in the loss: a task loss plus a penalty on the gap between the groups' errors.

Fairness-aware training is often described by ``L_task + lam * |error_A - error_B|`` with error rates counted
from argmax decisions. Such a rate is a step function of the parameters: its gradient is zero or undefined, so
training does not change it. What is penalised here is a smooth surrogate of each group's error,

    error:          e_g = mean over g of (1 - p(y))     the expected error of a decision drawn from p
    cross_entropy:  e_g = mean over g of -ln p(y)

and the gap between groups, smooth at 0 too:

    two groups:     sqrt((e_A - e_B)^2 + eps)
    k groups:       the mean of that over all pairs (``pairwise``), or the variance of e_g (``variance``),
                    which is the square of an error and needs a larger lam

A group that a batch does not hold is left out of its gap: counted as 0 it would add a gap that is not there.
With fewer than two groups there is no gap and the term is skipped. `stratified` makes batches that hold every
group.

Source: the usual penalty of fairness-aware training; the surrogate, k groups and absent groups are ours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from evenhand.errors import BadData, BadOption
from evenhand.training.numbers import check_batch

Surrogate = Literal["error", "cross_entropy"]
Spread = Literal["variance", "pairwise"]
EPS = 1e-6


def label_errors(log_p: Tensor, labels: Tensor, surrogate: Surrogate = "error") -> Tensor:
    """Each row's differentiable error, [N]: from log-probabilities `log_p` [N, C] and true classes [N].

    ``error`` gives 1 - p(y), in [0, 1]; ``cross_entropy`` gives -ln p(y), in nats.

    Raises:
        BadData: the shapes do not fit together, or there is no row.
    """
    if log_p.ndim != 2 or labels.shape != log_p.shape[:1] or not len(labels):
        raise BadData(
            f"Log-probabilities have shape {tuple(log_p.shape)} and labels {tuple(labels.shape)}.",
            mend="Give log-probabilities [N, C] and a true class for each row, [N], with N at least 1.",
        )
    true = log_p.gather(1, labels[:, None]).squeeze(1)  # [N], of the true class
    return -true if surrogate == "cross_entropy" else -torch.expm1(true)


def gap(errors: Tensor, groups: Tensor, spread: Spread = "pairwise", eps: float = EPS) -> Tensor | None:
    """The smooth gap between the groups' mean errors, a scalar; None where fewer than two groups are there.

    `errors` [N] and `groups` [N] (integers). Only groups that occur count. `spread` matters from three groups
    on: two give ``sqrt((e_A - e_B)^2 + eps)``.

    Raises:
        BadData: the shapes differ.
    """
    if errors.ndim != 1 or errors.shape != groups.shape:
        raise BadData(
            f"Errors have shape {tuple(errors.shape)} and groups {tuple(groups.shape)}.",
            mend="Give one error and one group for each person, both [N].",
        )
    means = [errors[groups == g].mean() for g in sorted(set(groups.tolist()))]  # G scalars
    if len(means) < 2:
        return None
    if len(means) == 2 or spread == "pairwise":
        pairs = [((a - b).square() + eps).sqrt() for a, b in itertools.combinations(means, 2)]
        return torch.stack(pairs).mean()  # of [G (G - 1) / 2]
    return torch.stack(means).var(unbiased=False)


@dataclass
class GroupGapLoss:
    """``L_task + lam * gap`` for any training loop; call it with logits, true classes and groups.

    `skipped` counts the calls whose batch held fewer than two groups, which returned the task loss alone. ::

        loss = GroupGapLoss(lam=0.1)
        for x, y, group in loader:
            loss(model(x), y, group).backward()
    """

    lam: float = 0.1
    surrogate: Surrogate = "error"
    spread: Spread = "pairwise"
    eps: float = EPS
    skipped: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        known = self.surrogate in get_args(Surrogate) and self.spread in get_args(Spread)
        if not known or not 0 <= self.lam < math.inf or not self.eps > 0:
            raise BadOption(
                f"lam={self.lam}, surrogate={self.surrogate}, spread={self.spread}, eps={self.eps} is not "
                "valid.",
                mend="Write lam as 0 or more, eps above 0, surrogate as error or cross_entropy, spread as "
                "variance or pairwise.",
            )

    def __call__(
        self, logits: Tensor, labels: Tensor, groups: Tensor, *, task: Tensor | None = None
    ) -> Tensor:
        """The loss of one batch, a scalar: `logits` [N, C], `labels` [N] and `groups` [N] (integers).

        Log-probabilities do as logits. `task` replaces the mean cross-entropy of the true class.

        Raises:
            BadData: the shapes do not fit together.
        """
        log_p = functional.log_softmax(logits.float() if logits.element_size() < 4 else logits, dim=-1)
        errors = label_errors(log_p, labels, self.surrogate)
        base = functional.nll_loss(log_p, labels) if task is None else task
        apart = gap(errors, groups, self.spread, self.eps)
        if apart is None:
            self.skipped += 1
            return base
        return base + self.lam * apart


def stratified(groups: Sequence[int], batch: int, *, epochs: int, seed: int) -> Iterator[Tensor]:
    """Batches of about `batch` row numbers, each with members of every group; `epochs` passes, reshuffled.

    Every row comes once a pass, in the group's own proportion. A group with fewer members than there are
    batches is repeated until each batch has one: those few count more than once then.

    Raises:
        BadData: there is no row.
        BadOption: a batch could not hold one member of each group.
    """
    members = [  # for each group its row numbers, [members of the group]
        torch.tensor([row for row, g in enumerate(groups) if g == group]) for group in sorted(set(groups))
    ]
    if not members:
        raise BadData("There are no people to train on.", mend="Give at least one person of each group.")
    check_batch(batch, len(members))
    count = math.ceil(len(groups) / batch)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        dealt = [_dealt(rows, count, generator) for rows in members]  # [groups][batches] of row numbers
        for parts in zip(*dealt, strict=True):
            together = torch.cat(parts)
            yield together[torch.randperm(len(together), generator=generator)]


def _dealt(rows: Tensor, count: int, generator: torch.Generator) -> list[Tensor]:
    """The `rows` [members] in random order, in `count` parts of nearly equal size, none of them empty."""
    mixed = rows[torch.randperm(len(rows), generator=generator)]
    if len(mixed) < count:
        mixed = mixed.repeat(math.ceil(count / len(mixed)))[:count]
    parts = [mixed[i::count] for i in range(count)]
    # Groups' larger parts must not all fall into the same batches.
    return [parts[i] for i in torch.randperm(count, generator=generator).tolist()]
