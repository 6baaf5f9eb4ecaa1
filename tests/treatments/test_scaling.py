"""A treatment times a factor: its change of the weights, and nothing else."""

from __future__ import annotations

import pytest
import torch

from evenhand.errors import BadModel, UsageError
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import About, scalable, scaled
from evenhand.treatments.prompt import PromptTreatment
from evenhand.treatments.weights import WeightTreatment

NAME = "model.layers.1.mlp.up_proj.weight"


def _doubled() -> WeightTreatment:
    model = tiny("llama")
    base = model.module.get_parameter(NAME).detach()
    return WeightTreatment(About("test", model.spec.digest, 7, {"lr": 1.0}, {"old": 1}), {NAME: 2 * base})


@pytest.mark.parametrize("factor", [0.5, 3.0, -1.0])
def test_the_change_is_multiplied(factor: float) -> None:
    model = tiny("llama")
    base = model.module.get_parameter(NAME).detach()
    found = scaled(_doubled(), model, factor, method="other")
    assert isinstance(found, WeightTreatment)
    torch.testing.assert_close(found.weights[NAME], (1 + factor) * base)  # the change was once the base
    assert found.about == About("other", model.spec.digest, 7, {"lr": 1.0, "factor": factor})
    assert found.digest != _doubled().digest
    again = scaled(found, model, 2.0)
    assert again.about.details["factor"] == 2 * factor
    assert again.about.method == "other"


def test_what_has_no_strength_is_refused() -> None:
    model = tiny("llama")
    prompt = PromptTreatment(About("prompt", model.spec.digest, 0), "Hello.")
    assert scalable(_doubled())
    assert not scalable(prompt)
    with pytest.raises(BadModel, match="prompt is of a kind that has no strength"):
        scaled(prompt, model, 2.0)
    for factor in (0.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="cannot be scaled by"):
            scaled(_doubled(), model, factor)
    with pytest.raises(BadModel, match="was fitted to a model with digest"):
        scaled(_doubled(), tiny("gpt2"), 2.0)
