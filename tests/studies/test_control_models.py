"""The plan of the control models: doses, seeds, parameters; and that a seed reaches the model it is for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
import torch

from evenhand.mitigations.lftf import Lftf
from evenhand.studies.control_models import Planned, counts, installed, planned
from evenhand.studies.options import Extent
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import About
from evenhand.treatments.prompt import PromptTreatment
from evenhand.treatments.weights import WeightTreatment


@cache
def _treatment() -> WeightTreatment:
    made = Lftf(blocks="1", lr=1e-2).fit(tiny("llama"), examples(), sites=None, seed=0)
    assert isinstance(made, WeightTreatment)
    return made


def _plan(extent: Extent, seed: int = 0) -> tuple[Planned, ...]:
    return planned(tiny("llama"), _treatment(), extent, seed)


def _fitted(one: Planned) -> WeightTreatment:
    made = one.made(tiny("llama"), examples())
    assert isinstance(made, WeightTreatment)
    return made


def by_family(plan: Sequence[Planned]) -> dict[str, list[Planned]]:
    return {
        family: [p for p in plan if p.family == family] for family in dict.fromkeys(p.family for p in plan)
    }


@pytest.mark.parametrize("extent", ["full", "reduced"])
def test_every_dose_of_a_family_has_its_own_number_of_unlike_seeds(extent: Extent) -> None:
    plan = _plan(extent, seed=7)
    ladders = {family: control.ladder for family, control in installed().items()}
    doses = {f: ladder.full if extent == "full" else ladder.reduced for f, ladder in ladders.items()}
    found = {family: tuple(dict.fromkeys(p.dose for p in ps)) for family, ps in by_family(plan).items()}
    assert found == {family: steps for family, steps in doses.items() if steps}
    for family, models in by_family(plan).items():
        wanted = ladders[family].seeds if extent == "full" else ladders[family].reduced_seeds
        for dose in doses[family]:
            seeds = [p.seed for p in models if p.dose == dose]
            assert len(seeds) == len(set(seeds)) == wanted, f"{family} {dose}: {seeds}"
    assert len({p.identity for p in plan}) == len(plan)  # no two models share the key of their cells


def test_the_seed_of_the_study_decides_the_seeds_of_the_models() -> None:
    assert _plan("reduced", seed=7) == _plan("reduced", seed=7)
    assert [p.seed for p in _plan("reduced", seed=7)] != [p.seed for p in _plan("reduced", seed=8)]


@pytest.mark.parametrize("family", ["placebo", "noise", "noise elsewhere"])
def test_models_of_one_dose_differ_and_each_repeats_under_its_seed(family: str) -> None:
    plan = [p for p in _plan("full") if p.family == family]
    ladder = installed()[family].ladder
    models = [p for p in plan if p.dose == ladder.full[3]]
    first = [_fitted(p).digest for p in models]
    assert len(set(first)) == ladder.seeds == 5
    assert [_fitted(p).digest for p in models[:2]] == first[:2]


def test_the_noise_of_two_seeds_is_independent() -> None:
    """Two draws of noise at dose 0.1 of a tensor's root mean square r differ by sqrt(2) 0.1 r."""
    one, other = (p for p in _plan("full") if p.family == "noise" and p.dose == 0.1 and p.seed in (1, 2))
    base = dict(tiny("llama").module.named_parameters())
    weights = _fitted(one).weights, _fitted(other).weights
    drawn = [
        torch.cat([((w[n] - base[n].detach()) / base[n].detach().square().mean().sqrt()).ravel() for n in w])
        for w in weights
    ]
    assert set(weights[0]) == set(_treatment().weights)
    assert drawn[0].std().item() == pytest.approx(0.1, rel=0.03)
    assert (drawn[0] - drawn[1]).std().item() == pytest.approx(0.1 * 2**0.5, rel=0.03)
    assert torch.corrcoef(torch.stack(drawn))[0, 1].abs() < 0.05


def test_noise_elsewhere_leaves_the_treated_block_alone() -> None:
    layout = tiny("llama").layout
    treated = set(layout.parameters("block.1"))
    chosen = {p.names for p in _plan("full") if p.family == "noise elsewhere"}
    assert all(not treated & set(names) for names in chosen)
    assert {frozenset(names) for names in chosen} <= {
        frozenset(layout.parameters(f"block.{b}")) for b in (0, 2)
    }
    assert len(chosen) == 2  # five seeds reach both other blocks


def test_no_control_plans_nothing() -> None:
    assert _plan("none") == ()
    assert counts("none") == {}


@pytest.mark.parametrize("extent", ["full", "reduced"])
def test_what_is_counted_is_what_is_planned(extent: Extent) -> None:
    assert counts(extent) == {family: len(models) for family, models in by_family(_plan(extent)).items()}


def test_the_families_are_shown_in_the_order_of_the_specification() -> None:
    assert list(installed()) == ["placebo", "noise", "noise elsewhere"]


def test_a_treatment_of_no_weight_is_matched_by_damage_to_all_of_them() -> None:
    model = tiny("llama")
    treatment = PromptTreatment(About("prompt", model.spec.digest, 0), "Anyone may be late.")
    plan = planned(model, treatment, "full", 0)
    assert {p.family for p in plan} == {"placebo", "noise"}  # no block is elsewhere
    assert {p.names for p in plan} == {tuple(name for name, _ in model.module.named_parameters())}


def test_the_keys_of_stored_cells_stay_what_they_were() -> None:
    """A key changed by mistake makes every control model of every stored run anew."""
    (first, *_), (elsewhere, *_) = (
        [p for p in _plan("full", seed=3) if p.family == family and p.dose == dose]
        for family, dose in (("placebo", 0.5), ("noise elsewhere", 0.05))
    )
    assert first.identity == (
        "placebo:dose=0.5,lr=0.01", 4, tuple(sorted(tiny("llama").layout.parameters("block.1"))),
    )  # fmt: skip
    assert elsewhere.identity[:2] == ("noise elsewhere:dose=0.05", 4)
