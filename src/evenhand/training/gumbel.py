"""Gradients through the choice of a token: the straight-through Gumbel-softmax, and experiments that test it.

A token is drawn from ``softmax(logits)`` by adding Gumbel noise and taking the largest (the Gumbel-max
trick). The draw is a hard one-hot vector, which has no gradient, so on the way back the derivative of the
tempered softmax of the same noisy logits stands in for it. That estimate is biased for a finite temperature
and grows noisy for a small one; it is used because the embedding, and every layer after it, then receives
real tokens only.

Source: Jang, Gu, Poole 2016 (Categorical reparameterization with Gumbel-softmax); FairCon, section 3.2 and
figure 4, which trains a known distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from evenhand.errors import BadData, BadOption


def gumbel_noise(shape: torch.Size | tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent standard Gumbel values of `shape`, float64 on the CPU: the same seed, the same noise."""
    return -torch.empty(shape, dtype=torch.float64).exponential_(generator=generator).log()


def straight_through(logits: Tensor, *, tau: float = 1.0, generator: torch.Generator | None) -> Tensor:
    """One token drawn from each row of `logits` [..., V] as a one-hot row of the same shape and dtype.

    Forward the result is exactly 0 and 1; backward it has the gradient of
    ``softmax((logits + noise) / tau)`` under the same noise. A logit of -inf is never drawn and gets gradient
    0. `generator` None means no noise: the likeliest token, to inspect the result.

    Raises:
        BadOption: `tau` is not above 0.
    """
    if not tau > 0:
        raise BadOption(f"tau={tau} is not valid.", mend="Write a temperature above 0, such as 1.")
    noisy = logits  # every tensor here is [..., V]
    if generator is not None:
        noisy = logits + gumbel_noise(logits.shape, generator).to(logits)
    soft = torch.softmax(noisy / tau, dim=-1)
    hard = torch.zeros_like(soft).scatter_(-1, noisy.argmax(dim=-1, keepdim=True), 1.0)
    return hard + (soft - soft.detach())  # in this order the value is exactly the hard one


@dataclass(frozen=True)
class Recovery:
    """The learnt `probabilities` [V], and how far they were from the target.

    `divergence` holds the Kullback-Leibler divergence in nats before each step, and after the last one.
    """

    probabilities: Tensor
    divergence: tuple[float, ...]


def recover(
    target: Tensor, *, steps: int = 300, draws: int = 64, lr: float = 0.1, tau: float = 1.0, seed: int = 0
) -> Recovery:
    """Learn a known distribution over tokens, `target` [V], from one-hot draws alone (FairCon, figure 4).

    Each step draws `draws` tokens and moves the logits, from 0, by Adam along the straight-through gradient
    of ``|share of the draws - target|^2``. The divergence is KL(target || softmax(logits)). Shares of few
    draws are noisy, so what is left at the end falls with `draws`, not with `steps`.

    Raises:
        BadData: `target` is no distribution.
    """
    if target.ndim != 1 or bool((target < 0).any()) or abs(float(target.sum()) - 1) > 1e-4:
        raise BadData(
            f"The target of shape {tuple(target.shape)} is no distribution over tokens.",
            mend="Give probabilities [V] that are not negative and sum to 1.",
        )
    goal = target.double()

    def miss(drawn: Tensor) -> Tensor:  # [draws, V] to a scalar
        return (drawn.mean(dim=0) - goal).square().sum()

    return _learn(miss, goal, (steps, draws, lr, tau, seed))


def plant(
    embedding: Tensor, token: int, *, steps: int = 300, draws: int = 8, lr: float = 0.1, seed: int = 0
) -> Recovery:
    """Find `token` from its row of `embedding` [V, d] alone: the loss is the drawn rows' squared distance.

    The adversary learns in the same way: its loss depends on the embeddings of the drawn tokens, and no token
    is named as the right one. The divergence is ``-ln P(token)``.
    """
    table = embedding.double()
    goal = torch.zeros(len(table), dtype=torch.float64)
    goal[token] = 1.0

    def miss(drawn: Tensor) -> Tensor:  # [draws, V] @ [V, d] - [d] to a scalar
        return (drawn @ table - table[token]).square().sum(dim=1).mean()

    return _learn(miss, goal, (steps, draws, lr, 1.0, seed))


def _learn(
    miss: Callable[[Tensor], Tensor], goal: Tensor, how: tuple[int, int, float, float, int]
) -> Recovery:
    """Minimise `miss` of one-hot draws [draws, V] by Adam; `goal` [V] is what the divergence is taken to.

    `how` is steps, draws, learning rate, temperature and seed.
    """
    steps, draws, lr, tau, seed = how
    generator = torch.Generator().manual_seed(seed)
    with torch.enable_grad():
        logits = torch.zeros_like(goal).requires_grad_()
        optimiser = torch.optim.Adam([logits], lr=lr)
        history = []
        for _ in range(steps):
            history.append(_divergence(goal, logits))
            drawn = straight_through(logits.expand(draws, -1), tau=tau, generator=generator)
            optimiser.zero_grad()
            miss(drawn).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    history.append(_divergence(goal, logits))
    return Recovery(torch.softmax(logits.detach(), dim=0), tuple(history))


@torch.no_grad()
def _divergence(goal: Tensor, logits: Tensor) -> float:
    log_q = torch.log_softmax(logits, dim=0)
    some = goal > 0
    return float((goal[some] * (goal[some].log() - log_q[some])).sum())
