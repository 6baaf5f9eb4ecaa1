"""A flatter head: the final norm divided by 1 + dose, so that every answer is less certain.

It carries no signal about any attribute (control family g, made with ``--control full``): every logit, and
with it the log-odds between any two words, shrinks by the same factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.controls import Ladder
from evenhand.controls._weights import TensorControl
from evenhand.training.parameters import check_blocks

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment

JITTER = 1e-3  # relative noise on the norm's values, so that seeds are independent draws


@dataclass(frozen=True)
class Temperature(TensorControl):
    """Divide the parameters of the final norm by ``1 + dose``, with a relative noise of .001.

    There is none of it for a model whose last norm is not found, or adds 1 to its weight (Gemma): divided,
    that weight would not divide the logits.

    Attributes:
        dose: how much the temperature rises above 1; above 0.
        blocks: it changes no block; only empty is useful.
    """

    name: ClassVar[str] = "temperature"
    ladder: ClassVar[Ladder] = Ladder("g", start=0.05, lowest=0.005, highest=10.0, extra=True)

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The parameters of the final norm; empty where that cannot be divided."""
        layout = model.layout
        check_blocks(model, blocks=self.blocks)
        if "norm" not in layout.sites() or adds_one(type(layout.module("norm")).__name__):
            return ()
        return tuple(layout.parameters("norm"))

    def damaged(self, value: Tensor, draws: Generator) -> Tensor:
        """The divided values."""
        import torch

        return value / (1 + self.dose) * (1 + JITTER * torch.randn(value.shape, generator=draws))


def adds_one(norm: str) -> bool:
    """Whether a norm of this class multiplies by 1 + weight."""
    return norm.startswith(("Gemma", "RecurrentGemma", "Qwen3Next", "Nemotron"))


component = Temperature
