"""A treatment at another strength: its change of the weights times a factor."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from evenhand.errors import BadModel, UsageError
from evenhand.treatments._base import About, Treatment

if TYPE_CHECKING:
    from evenhand.models import Model


@runtime_checkable
class Scalable(Treatment, Protocol):
    """A treatment whose change can be multiplied, if its property `can_scale` (where it has one) is true."""

    def scaled(self, model: Model, about: About, factor: float) -> Self:
        """The treatment with its change of `model`, the base, times `factor`, that says `about` of itself."""
        ...


def scalable(treatment: Treatment) -> bool:
    """Whether `scaled` takes it: new weights and LoRA adapters, but no prompt, rule or other adapter."""
    return isinstance(treatment, Scalable) and bool(getattr(treatment, "can_scale", True))


def scaled(treatment: Treatment, model: Model, factor: float, *, method: str = "") -> Treatment:
    """``base + factor * (treated - base)``: the treatment with its change of `model`, its base, multiplied.

    Its details hold the `factor`, beside those of the fit; it has no proof of its own. `method` is the spec
    that it says of itself, by default that of the treatment.

    Raises:
        UsageError: the factor is 0 or no finite number.
        BadModel: a treatment of this kind cannot be scaled, or was fitted to another model.
    """
    if not factor or not math.isfinite(factor):
        raise UsageError(
            f"A treatment cannot be scaled by {factor}.", mend="Write a finite number other than 0."
        )
    if not isinstance(treatment, Scalable) or not scalable(treatment):
        raise BadModel(
            f"{treatment.about.method} is of a kind that has no strength to multiply.",
            mend="Scale a treatment of weights or a LoRA adapter.",
        )
    about = treatment.about
    details = {**about.details, "factor": about.details.get("factor", 1.0) * factor}
    made = dataclasses.replace(about, method=method or about.method, details=details, proof={})
    return treatment.scaled(model, made, factor)
