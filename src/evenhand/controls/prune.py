"""Magnitude pruning: the smallest weights of the treated matrices are set to 0, with a dose.

It carries no signal about any attribute (control family e, made with ``--control full``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.controls import Ladder
from evenhand.controls._parameters import touched_matrices
from evenhand.controls._weights import TensorControl
from evenhand.training.numbers import check_numbers

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment

JITTER = 0.1  # spread of the random factor on a weight's magnitude, in natural logarithms


@dataclass(frozen=True)
class Prune(TensorControl):
    """Set the share `dose` of each matrix to 0: the weights of the smallest magnitude.

    Each magnitude is multiplied by a random factor near 1 (standard deviation .1 of its logarithm), so that
    seeds differ in the weights that are neither small nor large.

    Attributes:
        dose: share of the weights that become 0; above 0, below 1.
        blocks: block numbers joined by ``+``; empty means the blocks that the compared treatment touches, or
            without a treatment, every matrix.
    """

    name: ClassVar[str] = "prune"
    ladder: ClassVar[Ladder] = Ladder("e", start=0.2, lowest=0.01, highest=0.98, extra=True)

    def __post_init__(self) -> None:
        check_numbers("prune", self, positive=("dose",), shares=("dose",))

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The matrices in `blocks`, else among the parameters that the treatment changes, else all."""
        return touched_matrices(model, treatment, self.blocks)

    def damaged(self, value: Tensor, draws: Generator) -> Tensor:
        """The values with ``round(dose * n)`` of n set to 0."""
        import torch

        count = round(self.dose * value.numel())
        if not count:
            return value
        score = value.abs() * (JITTER * torch.randn(value.shape, generator=draws)).exp()
        smallest = score.flatten().topk(count, largest=False).indices
        return value.flatten().index_fill(0, smallest, 0.0).view_as(value)


component = Prune
