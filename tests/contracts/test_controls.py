"""What every control owes: damage that follows the dose, repeats, proves itself and has no signal."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import cast

import pytest

from evenhand import registry, stats
from evenhand.benchmarks import Benchmark
from evenhand.controls import Control
from evenhand.models import OpenModel
from evenhand.models.digests import weights_digest
from evenhand.opening import open_model
from evenhand.records import Ability, Example, TrainingExample
from evenhand.studies.control_models import installed
from evenhand.studies.measure import take
from evenhand.studies.methods import made_method
from evenhand.treatments import Treatment, load
from tests.support.decisions import people
from tests.support.examples import examples, one_of_each
from tests.support.tiny import model as tiny
from tests.support.treatments import unchanged

NAMES = registry.names("control")
GIVEN = one_of_each()


def _make(name: str) -> Control:
    return cast(Control, registry.create("control", name))


def _damage(name: str, model: OpenModel, dose: float = 0.5, seed: int = 0) -> Treatment:
    given: list[TrainingExample] = [*examples()] if Example in _make(name).fits_on else [*people()]
    return _make(name).damage(model, unchanged(model, "block.1"), dose, examples=given, seed=seed)


@pytest.mark.parametrize("name", NAMES)
def test_damage_leaves_the_model_bit_for_bit(name: str) -> None:
    model = tiny("llama")
    flags = [p.requires_grad for p in model.module.parameters()]
    before = weights_digest(model.module)
    treatment = _damage(name, model)
    assert weights_digest(model.module) == before
    with treatment.applied(model):
        pass
    assert weights_digest(model.module) == before
    assert [p.requires_grad for p in model.module.parameters()] == flags
    assert all(p.grad is None for p in model.module.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_one_damage_which_survives_saving_and_leaves_a_proof(
    name: str, tmp_path: Path
) -> None:
    model = tiny("gpt2")
    first, again, other = (_damage(name, model, seed=seed) for seed in (4, 4, 5))
    assert first.digest == again.digest != other.digest
    first.save(tmp_path / "saved")
    assert load(tmp_path / "saved").digest == first.digest
    assert first.about.proof["max_logprob_change"] > 0
    assert first.about.base == model.spec.digest
    assert registry.parse(first.about.method).name == name


@pytest.mark.parametrize("name", NAMES)
def test_it_touches_what_it_says(name: str) -> None:
    model = tiny("llama")
    control, beside = _make(name), unchanged(model, "block.1")
    assert _damage(name, model, seed=2).touches == set(control.parameters(model, beside, seed=2))


@pytest.mark.parametrize("name", NAMES)
def test_more_of_the_dose_is_more_damage(name: str) -> None:
    model = tiny("llama")
    least, *_, most = _make(name).ladder.full
    small, large = (_damage(name, model, dose).about.proof["max_weight_change"] for dose in (least, most))
    assert large > 3 * small


@pytest.mark.parametrize("name", NAMES)
def test_its_ladder_is_one_that_a_study_can_use(name: str) -> None:
    control = _make(name)
    for doses in (control.ladder.full, control.ladder.reduced):
        assert list(doses) == sorted(set(doses))
        assert all(dose > 0 for dose in doses)
    assert len(control.ladder.full) >= 8  # fewer make a reduced control
    assert control.ladder.seeds >= 5
    assert set(control.ladder.reduced) <= set(control.ladder.full)
    assert control.needs <= frozenset(Ability)
    assert name.replace("_", " ") in installed()
    letters = [one.ladder.letter for one in installed().values()]
    assert letters == sorted(letters)


@pytest.mark.parametrize("name", NAMES)
def test_handed_in_as_a_mitigation_it_is_itself_at_its_own_dose(name: str) -> None:
    model = tiny("llama")
    made, control = made_method(f"{name}:dose=0.3,blocks=1"), registry.create("control", f"{name}:blocks=1")
    assert repr(made) == repr(registry.create("control", f"{name}:dose=0.3,blocks=1"))
    assert (made.needs, made.wants_sites, made.fits_on) == (
        control.needs,
        control.wants_sites,
        control.fits_on,
    )
    alone = made.fit(model, examples(), sites=None, seed=3)
    beside = control.damage(model, unchanged(model), 0.3, examples=examples(), seed=3)
    assert alone.digest == beside.digest
    assert registry.parse(alone.about.method).name == name


@cache
def _lab() -> tuple[OpenModel, Benchmark, tuple[Example, ...]]:
    benchmark = cast(Benchmark, registry.create("benchmark", "genbiaseval"))
    return cast(OpenModel, open_model("lab:causal")), benchmark, tuple(benchmark.examples())


def test_the_placebo_has_no_debiasing_signal() -> None:
    model, benchmark, training = _lab()
    last = unchanged(model, model.layout.blocks()[-1])
    treatment = _make("placebo").damage(model, last, 1.0, examples=training, seed=0)
    before = take(model, benchmark).scores
    with treatment.applied(model) as treated:
        after = take(treated, benchmark).scores
    change = stats.paired_change(registry.get("metric", "afgb_normalised"), before, after)
    assert change.low is not None
    assert change.low > -0.05  # LFTF takes more than 0.2 off the same gap


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_that_it_names_works(name: str) -> None:
    model = tiny("llama")
    for kind in _make(name).fits_on:
        given: list[TrainingExample] = [*GIVEN[kind]]
        made = _make(name).damage(model, unchanged(model, "block.1"), 0.5, examples=given, seed=0)
        assert made.about.proof["max_logprob_change"] > 0
