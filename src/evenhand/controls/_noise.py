"""Gaussian noise on chosen weights, shared by the controls that choose different weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evenhand.errors import BadModel
from evenhand.records import TrainingExample

if TYPE_CHECKING:
    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment

FULL = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


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
    for name in names:
        value = model.module.get_parameter(name).detach().float().cpu()
        scale = dose * value.square().mean().sqrt()
        weights[name] = value + scale * torch.randn(value.shape, generator=generator)
    treatment = WeightTreatment(About(spec, model.spec.digest, seed), weights)
    proved: Treatment = proven(model, treatment, examples)
    return proved
