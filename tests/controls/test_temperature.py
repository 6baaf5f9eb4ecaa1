"""Temperature: every logit shrinks by the same factor."""

from __future__ import annotations

import pytest
import torch

from evenhand.controls.temperature import Temperature, adds_one
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.testing.treatments import unchanged


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_logits_are_divided(kind: str) -> None:
    model = tiny(kind)
    ids = torch.tensor([[5, 6, 7, 8]])
    treatment = Temperature().damage(model, unchanged(model, "block.1"), 1.0, examples=examples(), seed=0)
    with torch.no_grad():
        before = model.module(ids).logits
        with treatment.applied(model):
            after = model.module(ids).logits
    # Divided by 1 + dose = 2, with a noise of a thousandth of the norm.
    torch.testing.assert_close(after, before / 2, atol=5e-3 * before.abs().max().item(), rtol=0)
    assert treatment.touches == set(model.layout.parameters("norm"))


def test_a_norm_that_adds_one_is_left_alone() -> None:
    assert adds_one("GemmaRMSNorm")
    assert not adds_one("LlamaRMSNorm")
