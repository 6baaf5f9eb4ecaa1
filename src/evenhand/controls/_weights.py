"""What the controls share that change weights by a formula, without any training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.controls import Ladder
from evenhand.controls._parameters import Placed
from evenhand.errors import BadModel
from evenhand.progress import task
from evenhand.records import EVERY_KIND, Ability, Kinds, TrainingExample, digest
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class WeightControl(Placed, ABC):
    """A control that changes weights by a formula; each says which, and how. `name` is the component's."""

    dose: float = 0.1
    blocks: str = ""

    name: ClassVar[str]
    ladder: ClassVar[Ladder]
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = EVERY_KIND

    def __post_init__(self) -> None:
        check_numbers(self.name, self, positive=("dose",))

    @abstractmethod
    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The parameters to damage, in the order in which random numbers are drawn."""

    @abstractmethod
    def changed(self, model: OpenModel, names: Sequence[str], draws: Generator) -> dict[str, Tensor]:
        """The values of the parameters `names` at the control's own dose: float32, on the CPU."""

    def damage(
        self,
        model: OpenModel,
        treatment: Treatment,
        dose: float,
        *,
        examples: Sequence[TrainingExample],
        seed: int,
    ) -> Treatment:
        """Change the weights; the examples are only used to check that it has an effect.

        Random numbers are independent for every dose and seed: of one draw for all doses, the models of a
        seed would be steps in one direction, not so many chances.

        Raises:
            BadModel: the model gives no weights, or there is no parameter to damage.
            NoEffect: no answer changed.
        """
        import torch

        from evenhand.treatments import About, proven
        from evenhand.treatments.weights import WeightTreatment

        opened, dosed = require_open(model, self.needs), self.beside(treatment, dose)
        names, spec = dosed.parameters(opened, treatment, seed=seed), spec_of(self.name, dosed)
        if not names:
            raise self._nothing(spec)
        draws = torch.Generator().manual_seed(int(digest(self.name, float(dose), seed)[:15], 16))
        weights = dosed.changed(opened, names, draws)
        made = WeightTreatment(About(spec, opened.spec.digest, seed), weights)
        proved: Treatment = proven(opened, made, examples)
        return proved

    def _nothing(self, spec: str) -> BadModel:
        return BadModel(f"{spec} finds no parameter to damage.", mend="Use noise.")


class TensorControl(WeightControl):
    """A control that damages each tensor by itself."""

    @abstractmethod
    def damaged(self, value: Tensor, draws: Generator) -> Tensor:
        """One parameter's values at the control's own dose: float32, of the shape of `value`."""

    def changed(self, model: OpenModel, names: Sequence[str], draws: Generator) -> dict[str, Tensor]:
        """Each of the parameters `names`, damaged."""
        weights = {}
        with task(f"making {self.name.replace('_', ' ')}", len(names), unit="tensor", late=True) as advance:
            for name in names:
                value = model.module.get_parameter(name).detach().float().cpu()
                weights[name] = self.damaged(value, draws)
                advance(1)
        return weights


class NoiseControl(TensorControl):
    """Independent noise of `dose` times each tensor's root mean square."""

    def damaged(self, value: Tensor, draws: Generator) -> Tensor:
        """The values with noise."""
        import torch

        scale = self.dose * value.square().mean().sqrt()
        return value + scale * torch.randn(value.shape, generator=draws)
