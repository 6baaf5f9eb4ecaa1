"""The losses of LFTF without their signal: towards equal groups or away, at random for each subject.

A sham of a treatment is trained like it, by as much, and has no aim for the groups: its corrections are the
treatment's own times +1 or -1, so that on average its target is what the model already does. `log_p` [N, k]
and `log_rest` [N, R] are as in `evenhand.training.objectives`; `signs` [N] are +1 or -1.

With shares s_g = P_g / m of the groups' mass m, and the treatment's target t_g (1/k), a prompt's target is

    q = s0 + sign * lambda * (t - s0)       lambda <= 1 the largest with which both signs leave q in [0, 1]

s0 being the base's shares. In the log-likelihood the mass is drawn to 1 as in the treatment, but by the same
step in every group's logit: in ``-ln P`` that step is in proportion to the share, and would raise the gap
before it is at its end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from evenhand.records import TrainingExample
from evenhand.scoring.terms import Outcomes
from evenhand.training import objectives
from evenhand.training.finetune import TermLoss


def signs(examples: Sequence[TrainingExample], seed: int) -> tuple[float, ...]:
    """+1 or -1 for each example, one for all of a subject (cluster), drawn with `seed`."""
    return tuple(random.Random(f"{seed} {example.cluster}").choice((-1.0, 1.0)) for example in examples)


def signed(
    loss: Callable[[Outcomes, Outcomes, Tensor], Tensor], examples: Sequence[TrainingExample], seed: int
) -> TermLoss:
    """A loss of this module as `fit_weights` takes it, with the `signs` of the examples."""
    return partial(_with_signs, loss, torch.tensor(signs(examples, seed)))


def _with_signs(
    loss: Callable[[Outcomes, Outcomes, Tensor], Tensor],
    every: Tensor,
    now: Outcomes,
    base: Outcomes,
    chosen: Tensor,
) -> Tensor:
    return loss(now, base, every[chosen].to(now.log_p.device))


def swayed(base_log_p: Tensor, wanted: Tensor, signs: Tensor) -> Tensor:
    """The target q of the groups' shares, [N, k], from the base's `base_log_p` [N, k] and `wanted` [k].

    `wanted` are the shares that the treatment aims at; they and every row of q sum to 1.
    """
    shares = base_log_p.detach().softmax(dim=1)
    correction = wanted - shares  # [N, k]
    # Away from the target a group that it would raise falls, at most to 0.
    room = torch.where(correction > 0, shares / correction.clamp_min(1e-12), torch.inf)
    most = room.amin(dim=1, keepdim=True).clamp_max(1.0)  # lambda, [N, 1]
    return (shares + signs[:, None] * most * correction).clamp_min(0.0)


def nll(now: Outcomes, base: Outcomes, signs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
    """`objectives.nll` without its signal; mean over the rows, a scalar whose value means nothing.

    The gradient on the groups' logits is ``m (s_g - q_g) - (1 - m) / k``, on all others theirs in the nll.
    """
    log_p = now.log_p
    mass = log_p.detach().exp().sum(dim=1).clamp_max(1.0)  # m, [N]
    chosen = range(log_p.shape[1]) if groups is None else groups
    wanted = torch.zeros(log_p.shape[1], dtype=log_p.dtype, device=log_p.device)
    wanted[list(chosen)] = 1 / len(chosen)
    target = swayed(base.log_p, wanted, signs)
    apart = -(target * log_p.log_softmax(dim=1)).sum(dim=1)
    drawn = now.log_rest.logsumexp(dim=1) - log_p.mean(dim=1)  # a step in it moves all groups' logits alike
    return (mass * apart + (1 - mass) * drawn).mean()


def symmetric_kl(now: Outcomes, base: Outcomes, signs: Tensor) -> Tensor:
    """`objectives.symmetric_kl` of log-shares that are mirrored at the base's where the sign is -1.

    Its gradient on the groups' logits at the base is the treatment's own times the sign. Where that one draws
    the log-odds to 0, this one draws them to twice the base's.
    """
    own, start = now.log_p.log_softmax(dim=1), base.log_p.detach().log_softmax(dim=1)
    return objectives.symmetric_kl(start + signs[:, None] * (own - start))


def mass_preserving(now: Outcomes, base: Outcomes, signs: Tensor) -> Tensor:
    """`objectives.mass_preserving` without its signal: KL to the base with the groups' shares swayed."""
    shares = swayed(base.log_p, torch.full_like(base.log_p[0], 1 / base.log_p.shape[1]), signs)
    log_mass = base.log_p.detach().logsumexp(dim=1, keepdim=True)
    wanted = torch.cat([shares.log() + log_mass, base.log_rest.detach()], dim=1)
    return objectives.kl(wanted, torch.cat([now.log_p, now.log_rest], dim=1))
