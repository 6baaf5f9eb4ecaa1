"""A control, not a mitigation: Gaussian noise on weights, with a dose.

It carries no signal about any attribute. Studies use it to ask what a loss of capability does to a bias
score by itself (the capability-matched control, families b and c).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from evenhand.mitigations._blocks import chosen_blocks, parameter_names, require_open
from evenhand.mitigations._numbers import check_numbers
from evenhand.records import Ability, Attribution, Example, Material, PersonExample
from evenhand.registry import spec_of

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Noise:
    """Add independent noise of `dose` times each tensor's root mean square.

    Attributes:
        dose: noise in units of the tensor's own root mean square; above 0.
        blocks: block numbers joined by ``+``; empty means every parameter.
        names: parameter names, for studies that damage exactly what a treatment changed.
    """

    dose: float = 0.1
    blocks: str = ""
    names: tuple[str, ...] = field(default=(), repr=False)

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.WEIGHTS})
    purpose: ClassVar[Literal["mitigation", "control"]] = "control"
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[tuple[type[Example] | type[PersonExample], ...]] = (Example, PersonExample)

    def __post_init__(self) -> None:
        check_numbers("noise", self, positive=("dose",))

    def fit(
        self, model: Model, examples: Sequence[Material], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Draw the noise; the examples only prove that it has an effect.

        Raises:
            BadModel: no weights in hand.
        """
        import torch

        from evenhand.treatments import About, proven
        from evenhand.treatments.weights import WeightTreatment

        opened = require_open(model, self.needs)
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        for name in self._targets(opened):
            value = opened.module.get_parameter(name).detach().float().cpu()
            scale = self.dose * value.square().mean().sqrt()
            weights[name] = value + scale * torch.randn(value.shape, generator=generator)
        about = About(spec_of("noise", self), model.spec.digest, seed)
        treatment: Treatment = proven(model, WeightTreatment(about, weights), examples)
        return treatment

    def _targets(self, model: OpenModel) -> tuple[str, ...]:
        if self.names:
            return self.names
        if self.blocks:
            return parameter_names(model, chosen_blocks(model, None, blocks=self.blocks))
        return tuple(name for name, _ in model.module.named_parameters())


component = Noise
