"""The one loop that minimises a loss over batches: objective, parameters and data are arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from evenhand.errors import BadModel
from evenhand.progress import task

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Schedule:
    """Optimiser settings. `lr` is the peak; `decay` says how it falls after `warmup` steps.

    `clip` is the largest norm of all gradients together; None does not clip them.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    warmup: int = 0
    decay: Literal["constant", "linear", "cosine"] = "constant"
    clip: float | None = None

    def factor(self, step: int, total: int) -> float:
        """The learning rate of `step` (from 0) of `total`, as a share of `lr`."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, total - self.warmup)
        if self.decay == "linear":
            return 1 - done
        return 0.5 * (1 + math.cos(math.pi * done)) if self.decay == "cosine" else 1.0


class MasterWeights:
    """Float32 copies of parameters that are stored in fewer bits; a float32 parameter is its own copy."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.values = [
            p if p.dtype == torch.float32 else nn.Parameter(p.detach().float()) for p in parameters
        ]
        self._pairs = [(p, m) for p, m in zip(parameters, self.values, strict=True) if p is not m]

    def take_gradients(self) -> None:
        """Move each parameter's gradient to its float32 copy."""
        for parameter, master in self._pairs:
            master.grad = None if parameter.grad is None else parameter.grad.float()
            parameter.grad = None

    @torch.no_grad()
    def give_values(self) -> None:
        """Round each float32 copy into its parameter."""
        for parameter, master in self._pairs:
            parameter.copy_(master)


def shuffled_once(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The numbers 0 to n - 1 in a random order, in batches [size]; the last may be shorter."""
    yield from torch.split(torch.randperm(n, generator=generator), size)


def shuffled(n: int, size: int, *, epochs: int, seed: int) -> list[Tensor]:
    """`epochs` passes of `shuffled_once`, each in a different order."""
    generator = torch.Generator().manual_seed(seed)
    return [batch for _ in range(epochs) for batch in shuffled_once(n, size, generator)]


def minimise(
    loss: Callable[[Batch], Tensor],
    parameters: Sequence[nn.Parameter],
    batches: Iterable[Batch],
    schedule: Schedule,
    *,
    steps: int,
    label: str = "training",
) -> list[float]:
    """Minimise `loss` over `batches` (at most `steps` of them) with AdamW; returns the loss of every step.

    Parameters that are not float32 are trained through float32 master copies: at a learning rate of 1e-5
    an Adam step is below half a bfloat16 ulp of most weights, which would then never move.

    Raises:
        BadModel: the loss is not a finite number; nothing after that step would be.
    """
    masters = MasterWeights(parameters)
    optimiser = torch.optim.AdamW(
        masters.values, lr=schedule.lr, betas=schedule.betas, weight_decay=schedule.weight_decay, fused=True
    )
    history: list[float] = []
    with task(label, steps, unit="step") as advance:
        for step, batch in zip(range(steps), batches, strict=False):
            for group in optimiser.param_groups:
                group["lr"] = schedule.lr * schedule.factor(step, steps)
            value = loss(batch)
            history.append(_finite(value, step))
            value.backward()  # type: ignore[no-untyped-call]
            masters.take_gradients()
            if schedule.clip is not None:
                nn.utils.clip_grad_norm_(masters.values, schedule.clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            masters.give_values()
            advance(1)
    return history


def _finite(value: Tensor, step: int) -> float:
    number = float(value.detach())
    if not math.isfinite(number):
        raise BadModel(
            f"The training loss became {number} at step {step + 1}.",
            mend="Lower the learning rate (lr=...), or check the model with `evenhand measure` first.",
        )
    return number
