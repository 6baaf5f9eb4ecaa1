"""Gaussian noise on blocks that the treatment does not touch, as many as it touches.

Like noise on the treated weights it carries no signal about any attribute (the capability-matched control,
family c). Compared with that family it shows whether it matters *where* a model is damaged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from evenhand.controls import Ladder
from evenhand.controls._noise import FULL, noisy
from evenhand.controls._parameters import elsewhere
from evenhand.records import EVERY_KIND, Ability, Kinds, TrainingExample
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class NoiseElsewhere:
    """Add independent noise of `dose` times each tensor's root mean square to blocks drawn by the seed.

    Attributes:
        dose: noise in units of the tensor's own root mean square; above 0.
        blocks: numbers, joined by ``+``, of the blocks to leave unchanged; empty means those that the
            compared treatment touches, or without a treatment, the located block.
    """

    dose: float = 0.1
    blocks: str = ""

    ladder: ClassVar[Ladder] = Ladder("c", FULL)
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = True
    fits_on: ClassVar[Kinds] = EVERY_KIND

    def __post_init__(self) -> None:
        check_numbers("noise_elsewhere", self, positive=("dose",))

    def beside(self, treatment: Treatment, dose: float) -> Self:
        """The same control at `dose`; noise has no training settings to copy."""
        return dataclasses.replace(self, dose=dose)

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The parameters of as many other blocks as the treatment touches; empty where it touches all."""
        return elsewhere(model, treatment, self.blocks, seed=seed)

    def damage(
        self,
        model: OpenModel,
        treatment: Treatment,
        dose: float,
        *,
        examples: Sequence[TrainingExample],
        seed: int,
    ) -> Treatment:
        """Draw the blocks and the noise; the examples are only used to check that it has an effect.

        Raises:
            BadModel: the model gives no weights, or the treatment touches every block.
            NoEffect: no answer changed.
        """
        opened, dosed = require_open(model, self.needs), self.beside(treatment, dose)
        names = dosed.parameters(opened, treatment, seed=seed)
        return noisy(opened, names, dose, examples, (spec_of("noise_elsewhere", dosed), seed))


component = NoiseElsewhere
