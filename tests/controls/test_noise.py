"""Noise: its size is the dose, and it falls on what the treatment touches and on nothing else."""

from __future__ import annotations

import pytest
import torch

from evenhand import registry
from evenhand.controls import Control
from evenhand.errors import BadOption
from evenhand.models import OpenModel
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.testing.treatments import unchanged
from evenhand.treatments.weights import WeightTreatment


def _noise(spec: str, model: OpenModel, *blocks: str, dose: float = 0.1, seed: int = 0) -> WeightTreatment:
    made: Control = registry.create("control", spec)
    found = made.damage(model, unchanged(model, *blocks), dose, examples=examples(), seed=seed)
    assert isinstance(found, WeightTreatment)
    return found


@pytest.mark.parametrize("dose", [0.05, 0.5])
def test_the_dose_is_in_units_of_the_tensors_root_mean_square(dose: float) -> None:
    model = tiny("llama")
    found = _noise("noise", model, dose=dose)
    for name, value in found.weights.items():
        base = model.module.get_parameter(name).detach()
        if base.numel() < 1000:
            continue
        size = (value - base).square().mean().sqrt() / base.square().mean().sqrt()
        assert size.item() == pytest.approx(dose, rel=0.1), name


def test_it_falls_on_what_the_treatment_touches_and_otherwise_on_everything() -> None:
    model = tiny("llama")
    assert _noise("noise", model, "block.2").touches == set(model.layout.parameters("block.2"))
    assert _noise("noise", model).touches == {name for name, _ in model.module.named_parameters()}
    assert _noise("noise:blocks=0", model, "block.2").touches == set(model.layout.parameters("block.0"))
    with pytest.raises(BadOption, match="blocks=9"):
        _noise("noise:blocks=9", model)


def test_a_seed_gives_one_draw_and_the_spec_says_the_dose() -> None:
    model = tiny("gpt2")
    first, again, other = (_noise("noise", model, dose=0.3, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
    assert first.about.method == "noise:dose=0.3"
    assert all(torch.isfinite(value).all() for value in first.weights.values())
