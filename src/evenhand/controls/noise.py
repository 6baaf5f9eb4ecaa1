"""Gaussian noise on the treated weights, with a dose.

It carries no signal about any attribute. Studies use it to estimate what a change of this size, or a loss of
capability, does to a bias score by itself (control family c).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.controls import Ladder
from evenhand.controls._parameters import touched
from evenhand.controls._weights import NoiseControl

if TYPE_CHECKING:
    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Noise(NoiseControl):
    """Add independent noise of `dose` times each tensor's root mean square.

    Attributes:
        dose: noise in units of the tensor's own root mean square; above 0.
        blocks: block numbers joined by ``+``; empty means the blocks that the compared treatment touches, or
            without a treatment, every parameter.
    """

    name: ClassVar[str] = "noise"
    ladder: ClassVar[Ladder] = Ladder("c", start=0.1, lowest=1e-3, highest=4.0)

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The parameters of `blocks`, else those that the treatment changes, else all."""
        return touched(model, treatment, self.blocks)


component = Noise
