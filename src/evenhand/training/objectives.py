"""Differentiable losses for mitigation: towards equal groups, with or without keeping everything else.

The inputs are log-probabilities in nats of an exact partition of what may come next: `log_p` [N, k] for the
k groups and `log_rest` [N, R] for all other outcomes, each row of both together summing to 1 in probability.
An outcome with probability 0 (-inf) is allowed and gives no NaN gradient. All losses are means over the N
rows, scalars in nats unless said otherwise.

Source: LFTF (Locating First and Then Fine-Tuning for Mitigating Gender Bias in Large Language Models),
section 4; `mass_preserving` is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from evenhand.errors import BadData, BadOption

_LEAST = math.log(1e-40)  # nats


def nll(log_p: Tensor, groups: Sequence[int] | None = None) -> Tensor:
    """``-(1/c) Σ_g ln P_g`` over the c chosen groups, mean over the rows of `log_p` [N, k].

    With all groups (None) it equals the cross-entropy to equal shares; its floor is ln k, reached at
    P_g = 1/k, where *no* probability is left for anything else. `groups` gives indices for the ablation with
    fewer terms: with one it drives that group to 1. This is the loss that fits the published results of
    LFTF, whose printed equation 5 does not (see `printed`).

    Raises:
        BadOption: `groups` is empty or names a group that `log_p` does not have.
        BadData: `log_p` is empty or not two-dimensional.
    """
    _check(log_p, "log_p")
    k = log_p.shape[1]
    chosen = list(range(k)) if groups is None else list(groups)
    if not chosen or not all(0 <= g < k for g in chosen):
        raise BadOption(f"Groups {chosen} are not among the {k} groups.", mend=f"Choose from 0 to {k - 1}.")
    return -log_p[:, chosen].mean()


def printed(log_p: Tensor) -> Tensor:
    """``Σ_g P_g``, mean over the rows of `log_p` [N, k]: equation 5 of LFTF as printed, a probability.

    Kept for the ablation only: its minimum is 0, where the model gives no group's term any probability.

    Raises:
        BadData: `log_p` is empty or not two-dimensional.
    """
    _check(log_p, "log_p")
    return log_p.exp().sum(dim=1).mean()


def symmetric_kl(log_p: Tensor) -> Tensor:
    """``KL(P || P') + KL(P' || P)``, mean over the pairs of groups and the rows of `log_p` [N, k].

    P' is P with the two groups' probabilities exchanged: what the model would expect of the other member of
    the pair. Of shares s_g of the groups' mass a pair gives ``2 (s_a - s_b) (ln s_a - ln s_b)``, and the mean
    over all pairs is ``4 / (k - 1) * sum_g (s_g - 1/k) ln s_g``. The minimum is 0, at equal shares; of
    probabilities in their place it would also be reached where no group has any. A share below 1e-40 counts
    as that, and has no gradient.

    Source: BiasEdit (Xu et al. 2025), whose pairs are two sentences; here a prompt and two groups' terms.

    Raises:
        BadData: `log_p` is empty or not two-dimensional, or there are fewer than two groups.
    """
    _check(log_p, "log_p")
    k = log_p.shape[1]
    if k < 2:
        raise BadData("One group has no other member of a pair.", mend="Use at least two groups.")
    logs = log_p.log_softmax(dim=1).clamp_min(_LEAST)
    return 4 / (k - 1) * ((logs.exp() - 1 / k) * logs).sum(dim=1).mean()


def mass_preserving(log_p: Tensor, log_rest: Tensor, base_log_p: Tensor, base_log_rest: Tensor) -> Tensor:
    """KL(q || P) with q the base distribution whose groups each get an equal share of their joint mass.

    ``q_g = (1/k) Σ_j P0_j`` and ``q_r = P0_r`` for every other outcome, P0 from `base_log_p` [N, k] and
    `base_log_rest` [N, R] (never differentiated). The minimum is 0, at P = q: equal groups, and the groups'
    mass and every other outcome as the base has them.

    Raises:
        BadData: a tensor is empty or not two-dimensional, or shapes do not fit together.
    """
    _check(log_p, "log_p")
    if (
        log_p.shape != base_log_p.shape
        or log_rest.shape != base_log_rest.shape
        or len(log_p) != len(log_rest)
    ):
        raise BadData(
            f"log_p {tuple(log_p.shape)} and log_rest {tuple(log_rest.shape)} do not fit each other, or the "
            f"base's {tuple(base_log_p.shape)} and {tuple(base_log_rest.shape)}.",
            mend="Take both from the same prompts and the same partition of the vocabulary.",
        )
    base = base_log_p.detach()
    # ln of each group's equal share of the joint mass, [N, 1]; expanded [N, k] it is ln q of the groups.
    share = torch.logsumexp(base, dim=1, keepdim=True) - math.log(base.shape[1])
    groups = _kl_terms(share.expand_as(base), log_p)  # [N]
    return (groups + _kl_terms(base_log_rest.detach(), log_rest)).mean()


def kl(log_q: Tensor, log_p: Tensor) -> Tensor:
    """``KL(q || P) = Σ q (ln q - ln P)`` over the last dimension, mean over the rows: two [N, V] to a scalar.

    Outcomes with q = 0 contribute nothing; inf where P is 0 and q is not. Gradients reach both arguments.

    Raises:
        BadData: a tensor is empty or not two-dimensional, or the shapes differ.
    """
    _check(log_q, "log_q")
    if log_q.shape != log_p.shape:
        raise BadData(
            f"log_q {tuple(log_q.shape)} and log_p {tuple(log_p.shape)} have different shapes.",
            mend="Compare distributions over the same outcomes.",
        )
    return _kl_terms(log_q, log_p).mean()


def _kl_terms(log_q: Tensor, log_p: Tensor) -> Tensor:
    """Each row's Σ q (ln q - ln P), shape [N]; where q is 0 the term is 0, also beside an infinite ln P."""
    q = log_q.exp()
    possible = q != 0
    # Both sides are masked before the subtraction: where() after it would still send NaN gradients back.
    log_ratio = torch.where(possible, log_q, 0.0) - torch.where(possible, log_p, 0.0)
    return (torch.where(possible, q, 0.0) * log_ratio).sum(dim=1)


def _check(log_p: Tensor, name: str) -> None:
    if log_p.ndim != 2 or not log_p.numel():
        raise BadData(
            f"{name} has shape {tuple(log_p.shape)}, not [N, k] with at least one row and column.",
            mend="Give one row for each prompt and one column for each group.",
        )
