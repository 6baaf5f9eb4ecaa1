"""Fewer bits: the treated matrices rounded to a coarser grid, with a dose.

It carries no signal about any attribute (control family f, made with ``--control full``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.controls import Ladder
from evenhand.controls._parameters import touched_matrices
from evenhand.controls._weights import TensorControl

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Quantise(TensorControl):
    """Round each row of a matrix to multiples of `dose` times the row's largest magnitude, at random.

    A row then has ``2 / dose + 1`` levels: a dose of 1/127 is 8 bits, of 1/7 4 bits, of 1 the three levels
    -1, 0 and 1. Each weight goes up or down with the probability that keeps it on average (stochastic
    rounding), so that seeds are independent draws.

    Attributes:
        dose: the step in units of a row's largest magnitude; above 0.
        blocks: block numbers joined by ``+``; empty means the blocks that the compared treatment touches, or
            without a treatment, every matrix.
    """

    name: ClassVar[str] = "quantise"
    ladder: ClassVar[Ladder] = Ladder("f", start=0.1, lowest=1e-3, highest=1.0, extra=True)

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The matrices in `blocks`, else among the parameters that the treatment changes, else all."""
        return touched_matrices(model, treatment, self.blocks)

    def damaged(self, value: Tensor, draws: Generator) -> Tensor:
        """The values on the grid; a row of zeros stays as it is."""
        import torch

        step = self.dose * value.abs().amax(dim=-1, keepdim=True)  # [..., 1]
        safe = torch.where(step > 0, step, 1.0)
        return torch.floor(value / safe + torch.rand(value.shape, generator=draws)) * safe


component = Quantise
