"""Gaussian noise on chosen weights, shared by the controls that choose different weights."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from evenhand.controls._parameters import check
from evenhand.errors import BadModel
from evenhand.progress import task
from evenhand.records import EVERY_KIND, Ability, Kinds, TrainingExample
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.treatments import Treatment

FULL = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class NoiseControl(ABC):
    """What controls by noise share; each says which parameters it damages. `name` is the component's."""

    dose: float = 0.1
    blocks: str = ""

    name: ClassVar[str]
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.WEIGHTS})
    fits_on: ClassVar[Kinds] = EVERY_KIND

    def __post_init__(self) -> None:
        check_numbers(self.name, self, positive=("dose",))

    def beside(self, treatment: Treatment, dose: float) -> Self:
        """The same control at `dose`; noise has no training settings to copy."""
        return dataclasses.replace(self, dose=dose)

    def check(self, model: Model | None, examples: Sequence[TrainingExample]) -> None:
        """Refuse named blocks that the model does not have.

        Raises:
            BadModel: it gives no weights, or its blocks cannot be found.
            BadOption: a named block does not exist.
        """
        check(model, self.needs, self.blocks)

    @abstractmethod
    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The parameters to damage, in the order in which the noise is drawn."""

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
            BadModel: the model gives no weights, or there is no parameter to damage.
            NoEffect: no answer changed.
        """
        opened, dosed = require_open(model, self.needs), self.beside(treatment, dose)
        names = dosed.parameters(opened, treatment, seed=seed)
        return noisy(opened, names, dose, examples, (spec_of(self.name, dosed), seed))


def noisy(
    model: OpenModel,
    names: Sequence[str],
    dose: float,
    examples: Sequence[TrainingExample],
    about: tuple[str, int],
) -> Treatment:
    """Independent noise of `dose` times each tensor's root mean square, drawn in the order of `names`.

    The examples are only used to check that it has an effect. `about` is the control's spec and the seed.

    Raises:
        BadModel: there is no parameter to damage.
        NoEffect: no answer changed.
    """
    import torch

    from evenhand.treatments import About, proven
    from evenhand.treatments.weights import WeightTreatment

    spec, seed = about
    if not names:
        raise BadModel(
            f"{spec} finds no block to damage: the treatment changes every block.",
            mend="Name the blocks to leave alone (noise_elsewhere:blocks=3), or use noise.",
        )
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    with task("drawing noise", len(names), unit="tensor", late=True) as advance:
        for name in names:
            value = model.module.get_parameter(name).detach().float().cpu()
            scale = dose * value.square().mean().sqrt()
            weights[name] = value + scale * torch.randn(value.shape, generator=generator)
            advance(1)
    treatment = WeightTreatment(About(spec, model.spec.digest, seed), weights)
    proved: Treatment = proven(model, treatment, examples)
    return proved
