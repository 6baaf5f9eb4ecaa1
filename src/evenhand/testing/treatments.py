"""Treatments that touch chosen blocks and change nothing, as what a control is compared with."""

from __future__ import annotations

from typing import Any

from evenhand.models import OpenModel
from evenhand.treatments import About
from evenhand.treatments.weights import WeightTreatment


def unchanged(model: OpenModel, *blocks: str, **details: Any) -> WeightTreatment:
    """The model's own weights of `blocks` (sites), with the recipe in `details`."""
    names = [name for block in blocks for name in model.layout.parameters(block)]
    weights = {name: model.module.get_parameter(name).detach().float() for name in names}
    return WeightTreatment(About("unchanged", model.spec.digest, 0, details), weights)
