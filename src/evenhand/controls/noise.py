"""Gaussian noise on the treated weights, with a dose.

It carries no signal about any attribute. Studies use it to estimate what a loss of capability does to a bias
score by itself (the capability-matched control, family b).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from evenhand.controls import Ladder
from evenhand.controls._noise import FULL, noisy
from evenhand.controls._parameters import touched
from evenhand.records import EVERY_KIND, Ability, Kinds, TrainingExample
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Noise:
    """Add independent noise of `dose` times each tensor's root mean square.

    Attributes:
        dose: noise in units of the tensor's own root mean square; above 0.
        blocks: block numbers joined by ``+``; empty means the blocks that the compared treatment touches, or
            without a treatment, every parameter.
    """

    dose: float = 0.1
    blocks: str = ""

    ladder: ClassVar[Ladder] = Ladder("b", FULL, (0.05, 0.2, 0.5, 1.0))
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = EVERY_KIND

    def __post_init__(self) -> None:
        check_numbers("noise", self, positive=("dose",))

    def beside(self, treatment: Treatment, dose: float) -> Self:
        """The same control at `dose`; noise has no training settings to copy."""
        return dataclasses.replace(self, dose=dose)

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The parameters of `blocks`, else those that the treatment changes, else all."""
        return touched(model, treatment, self.blocks)

    def damage(
        self,
        model: OpenModel,
        treatment: Treatment,
        dose: float,
        *,
        examples: Sequence[TrainingExample],
        seed: int,
    ) -> Treatment:
        """Draw the noise; the examples are only used to check that it has an effect.

        Raises:
            BadModel: the model gives no weights.
            NoEffect: no answer changed.
        """
        opened, dosed = require_open(model, self.needs), self.beside(treatment, dose)
        names = dosed.parameters(opened, treatment, seed=seed)
        return noisy(opened, names, dose, examples, (spec_of("noise", dosed), seed))


component = Noise
