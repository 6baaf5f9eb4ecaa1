"""The plan of the control models: doses, seeds, parameters; and that a seed reaches the model it is for."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from evenhand.mitigations.lftf import Lftf
from evenhand.studies.families import (
    DOSES,
    REDUCED_DOSES,
    REDUCED_SEEDS,
    SEEDS,
    Extent,
    Planned,
    by_family,
    planned,
)
from evenhand.treatments.weights import WeightTreatment
from tests.support.examples import examples
from tests.support.tiny import model as tiny


@cache
def _treatment() -> WeightTreatment:
    made = Lftf(blocks="1", lr=1e-2).fit(tiny("llama"), examples(), sites=None, seed=0)
    assert isinstance(made, WeightTreatment)
    return made


def _plan(extent: Extent, seed: int = 0) -> tuple[Planned, ...]:
    return planned(tiny("llama"), _treatment(), extent, seed)


def _fitted(one: Planned) -> WeightTreatment:
    made = one.mitigation.fit(tiny("llama"), examples(), sites=None, seed=one.seed)
    assert isinstance(made, WeightTreatment)
    return made


@pytest.mark.parametrize(
    ("extent", "doses", "seeds"), [("full", DOSES, SEEDS), ("reduced", REDUCED_DOSES, REDUCED_SEEDS)]
)
def test_every_dose_of_a_family_has_its_own_number_of_unlike_seeds(
    extent: Extent, doses: dict[str, tuple[float, ...]], seeds: int
) -> None:
    plan = _plan(extent, seed=7)
    assert {family: tuple(dict.fromkeys(p.dose for p in ps)) for family, ps in by_family(plan)} == doses
    for family, models in by_family(plan):
        for dose in doses[family]:
            found = [p.seed for p in models if p.dose == dose]
            assert len(found) == len(set(found)) == seeds, f"{family} {dose}: {found}"
    assert len({p.identity for p in plan}) == len(plan)  # no two models share the key of their cells


def test_the_seed_of_the_study_decides_the_seeds_of_the_models() -> None:
    assert _plan("reduced", seed=7) == _plan("reduced", seed=7)
    assert [p.seed for p in _plan("reduced", seed=7)] != [p.seed for p in _plan("reduced", seed=8)]


@pytest.mark.parametrize("family", ["placebo", "noise", "noise elsewhere"])
def test_models_of_one_dose_differ_and_each_repeats_under_its_seed(family: str) -> None:
    plan = [p for p in _plan("full") if p.family == family]
    models = [p for p in plan if p.dose == DOSES[family][3]]
    first = [_fitted(p).digest for p in models]
    assert len(set(first)) == SEEDS
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
