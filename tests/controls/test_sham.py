"""The sham as a control: the treatment's own method in the same place, scaled; absent where there is none."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from evenhand.controls.sham import ShamControl, made
from evenhand.errors import BadModel
from evenhand.mitigations._shams import neutral
from evenhand.mitigations.lftf import Lftf
from evenhand.mitigations.prompt import Prompt
from evenhand.records import EVERY_KIND
from evenhand.testing import ControlCase
from evenhand.testing.examples import examples
from evenhand.testing.mitigations import last_block
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import About
from evenhand.treatments.prompt import PromptTreatment
from evenhand.treatments.weights import WeightTreatment

CASE = ControlCase("sham", harmless=1.0)


def _damage(treatment: Any, dose: float = 1.0, seed: int = 0) -> Any:
    return ShamControl().damage(tiny("llama"), treatment, dose, examples=examples(), seed=seed)


def test_it_trains_where_the_treatment_did() -> None:
    model = tiny("llama")
    real = Lftf(modules="mlp", lr=1e-2, top=2).fit(model, examples(), sites=last_block(model), seed=0)
    sham = _damage(real)
    assert sham.touches == real.touches
    assert sham.digest != real.digest
    told = sham.about.details
    assert {key: told[key] for key in ("lr", "steps", "epochs", "batch", "blocks")} == {
        key: real.about.details[key] for key in ("lr", "steps", "epochs", "batch", "blocks")
    }
    assert sham.about.method == "sham"
    assert told["sham_of"].startswith("sham(lftf:")


def test_the_dose_scales_the_change_of_one_fit() -> None:
    model = tiny("llama")
    real = Lftf(blocks="1", lr=1e-2).fit(model, examples(), sites=None, seed=0)
    one, half = _damage(real), _damage(real, 0.5)
    assert isinstance(one, WeightTreatment)
    for name, value in one.weights.items():
        base = model.module.get_parameter(name).detach()
        torch.testing.assert_close(half.weights[name] - base, (value - base) / 2, atol=1e-6, rtol=1e-3)


def test_the_sham_of_a_prompt_is_another_text_at_any_dose() -> None:
    model = tiny("llama")
    real = Prompt("Everyone is welcome.").fit(model, examples(), sites=None, seed=0)
    found = [_damage(real, 2.0, seed=seed) for seed in (3, 4)]
    assert all(isinstance(one, PromptTreatment) for one in found)
    assert [one.text for one in found] == [neutral(3, 3), neutral(3, 4)]


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("unknown", "which is none of the installed mitigations"),
        ("noise:dose=0.1", "which is none of the installed mitigations"),
        ("lftf:loss=printed", "no direction that could be drawn"),
    ],
)
def test_where_there_is_no_sham_it_is_said_why(method: str, why: str) -> None:
    model = tiny("llama")
    treatment = WeightTreatment(About(method, model.spec.digest, 0), {})
    assert why in ShamControl().why_not(treatment)
    assert ShamControl().parameters(model, treatment, seed=0) == ()
    with pytest.raises(BadModel, match=why):
        _damage(treatment)


def test_a_canonical_spec_is_made_again_with_commas_in_its_values() -> None:
    text = "Be fair, please: a=b, and judge nobody."
    assert made(f"prompt:text={text}") == Prompt(text)
    assert made("lftf:blocks=1+3,lr=0.01") == Lftf(blocks="1+3", lr=0.01)


def test_it_serves_every_kind_of_examples() -> None:
    assert ShamControl.fits_on == EVERY_KIND
