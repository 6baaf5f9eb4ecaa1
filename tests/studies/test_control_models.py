"""Which families of control models there are for a treatment, and that a seed reaches the model it is for."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from evenhand.mitigations.lftf import Lftf
from evenhand.studies.control_models import Recipe, counts, installed, looks, recipes
from evenhand.studies.options import Extent
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import About
from evenhand.treatments.prompt import PromptTreatment
from evenhand.treatments.weights import WeightTreatment

STANDARD = ["sham", "plain text", "noise", "noise elsewhere"]
EXTRA = ["prune", "quantise", "temperature", "heads"]


@cache
def _treatment(method: str = "lftf") -> WeightTreatment:
    made = Lftf(blocks="1", lr=1e-2).fit(tiny("llama"), examples(), sites=None, seed=0)
    assert isinstance(made, WeightTreatment)
    if method == "lftf":
        return made
    return WeightTreatment(About(method, made.about.base, 0), made.weights)


def _recipes(extent: Extent = "standard", method: str = "lftf") -> dict[str, Recipe]:
    found, _ = recipes(tiny("llama"), _treatment(method), extent, examples())
    return {one.family: one for one in found}


def _fitted(family: str, dose: float, seed: int) -> WeightTreatment:
    made = _recipes()[family].made(tiny("llama"), dose, seed)
    assert isinstance(made, WeightTreatment)
    return made


def test_the_families_are_shown_in_the_order_of_the_specification() -> None:
    assert list(installed()) == [*STANDARD, *EXTRA]


@pytest.mark.parametrize(
    ("extent", "families"),
    [("standard", STANDARD), ("reduced", STANDARD), ("full", [*STANDARD, *EXTRA]), ("none", [])],
)
def test_the_families_of_an_extent(extent: Extent, families: list[str]) -> None:
    assert list(_recipes(extent)) == families
    assert list(counts(extent)) == families


def test_looks_and_counts() -> None:
    assert looks("standard") == looks("full") == (6, 9, 13)
    assert (looks("reduced"), looks("none")) == ((6,), ())
    assert set(counts("standard").values()) == {(6, 13)}
    assert set(counts("reduced").values()) == {(6, 6)}


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("treated: hf:./ours", "which is none of the installed mitigations"),
        ("lftf:loss=printed", "has no direction that could be drawn at random"),
    ],
)
def test_without_a_sham_the_reason_is_said_and_more_families_are_made(method: str, why: str) -> None:
    found, absent = recipes(tiny("llama"), _treatment(method), "standard", examples())
    assert [one.family for one in found] == [*STANDARD[1:], *EXTRA]
    (said,) = absent
    assert said.startswith("There is no control sham: ")
    assert why in said


@pytest.mark.parametrize("family", STANDARD)
def test_models_of_one_dose_differ_by_seed_and_each_repeats(family: str) -> None:
    first = [_fitted(family, 0.5, seed).digest for seed in (1, 2)]
    assert len(set(first)) == 2
    assert _fitted(family, 0.5, 1).digest == first[0]


def test_a_scaled_family_is_fitted_once_for_all_doses_of_a_seed() -> None:
    """Twice the dose is twice the change; another seed is another fit."""
    recipe, model = _recipes()["plain text"], tiny("llama")
    one, two = (recipe.made(model, dose, 3) for dose in (0.5, 1.0))
    assert isinstance(one, WeightTreatment)
    assert isinstance(two, WeightTreatment)
    base = dict(model.module.named_parameters())
    name = max(one.weights, key=lambda n: one.weights[n].numel())
    half, whole = (made.weights[name] - base[name].detach() for made in (one, two))
    assert torch.allclose(2 * half, whole, atol=1e-6)
    assert recipe.made(model, 1.0, 4).digest != two.digest


@pytest.mark.parametrize(("family", "kept"), [("noise", False), ("plain text", True)])
def test_a_fit_is_let_go_once_its_model_is_measured(family: str, kept: bool) -> None:
    """Whole copies of the weights; one that gives all doses of a seed stays."""
    recipe, model = _recipes()[family], tiny("llama")
    made = recipe.made(model, 1.0, 3)
    assert recipe.made(model, 1.0, 3) is made  # for its size and for its measurements
    recipe.measured()
    assert (recipe.made(model, 1.0, 3) is made) is kept


def test_the_noise_of_two_seeds_is_independent() -> None:
    """Two draws of noise at dose 0.1 of a tensor's root mean square r differ by sqrt(2) 0.1 r."""
    base = dict(tiny("llama").module.named_parameters())
    weights = [_fitted("noise", 0.1, seed).weights for seed in (1, 2)]
    drawn = [
        torch.cat([((w[n] - base[n].detach()) / base[n].detach().square().mean().sqrt()).ravel() for n in w])
        for w in weights
    ]
    assert set(weights[0]) == set(_treatment().weights)
    assert drawn[0].std().item() == pytest.approx(0.1, rel=0.03)
    assert (drawn[0] - drawn[1]).std().item() == pytest.approx(0.1 * 2**0.5, rel=0.03)
    assert torch.corrcoef(torch.stack(drawn))[0, 1].abs() < 0.05


def test_noise_elsewhere_leaves_the_treated_block_alone() -> None:
    layout, recipe = tiny("llama").layout, _recipes()["noise elsewhere"]
    treated = set(layout.parameters("block.1"))
    chosen = {recipe.names(tiny("llama"), seed) for seed in range(8)}
    assert all(not treated & set(names) for names in chosen)
    assert {frozenset(names) for names in chosen} == {
        frozenset(layout.parameters(f"block.{b}")) for b in (0, 2)
    }


def test_a_treatment_of_no_weight_is_matched_by_damage_to_all_of_them() -> None:
    """A prompt has a sham of its own, made by the same recipe, and no block is elsewhere."""
    model = tiny("llama")
    treatment = PromptTreatment(About("prompt", model.spec.digest, 0), "Anyone may be late.")
    found, absent = recipes(model, treatment, "standard", examples())
    made = {one.family: one for one in found}
    assert list(made) == ["sham", "plain text", "noise"]
    assert made["sham"].by_recipe
    assert not made["noise"].by_recipe
    assert made["noise"].names(model, 1) == tuple(name for name, _ in model.module.named_parameters())
    assert absent == ("There is no control noise elsewhere: the treatment leaves no parameter for it.",)


def test_no_two_models_share_the_key_of_their_cells() -> None:
    model = tiny("llama")
    keys = {
        one.identity(model, dose, seed)
        for one in _recipes("full").values()
        for dose in (0.1, 0.2)
        for seed in (1, 2)
    }
    assert len(keys) == 4 * len(_recipes("full"))
