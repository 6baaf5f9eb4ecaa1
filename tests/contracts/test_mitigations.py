"""What every mitigation owes: an effect on the planted bias, an untouched model, an artefact that lasts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import cast

import pytest

from evenhand import registry, stats
from evenhand.benchmarks import Benchmark
from evenhand.errors import NoEffect
from evenhand.mitigations import Mitigation
from evenhand.models import OpenModel
from evenhand.models.digests import weights_digest
from evenhand.opening import open_model
from evenhand.records import (
    EVERY_KIND,
    Ability,
    Attribution,
    Example,
    PersonExample,
    SiteScore,
    TrainingExample,
)
from evenhand.studies.measure import take
from evenhand.treatments import Treatment, load
from tests.support.examples import examples, one_of_each
from tests.support.tiny import model as tiny

NAMES = registry.names("mitigation")
# On the tiny models of 64 positions the default instruction does not fit.
SPECS = {
    "prompt": "prompt:text=Anyone may be late.",
    "faircon": "faircon:rounds=2,length=3,lr=5e-3,batch=6",
    "fair_prompt": "fair_prompt:rounds=2,length=3,starts=1",
}


def _make(name: str) -> Mitigation:
    return cast(Mitigation, registry.create("mitigation", SPECS.get(name, name)))


def _top(model: OpenModel) -> Attribution:
    blocks = model.layout.blocks()
    scores = tuple(SiteScore(site, float(i)) for i, site in enumerate(blocks))
    return Attribution("test", False, scores, "the last block")


def _learnt_from(name: str) -> Sequence[TrainingExample]:
    """Examples of the first kind that the method names."""
    return one_of_each()[_make(name).fits_on[0]]


def _fit(name: str, model: OpenModel, seed: int = 0) -> Treatment:
    return _make(name).fit(model, _learnt_from(name), sites=_top(model), seed=seed)


@pytest.mark.parametrize("name", NAMES)
def test_fitting_and_applying_leave_the_model_bit_for_bit(name: str) -> None:
    model = tiny("llama")
    flags = [p.requires_grad for p in model.module.parameters()]
    before = weights_digest(model.module)
    treatment = _fit(name, model)
    assert weights_digest(model.module) == before
    with treatment.applied(model):
        pass
    assert weights_digest(model.module) == before
    assert [p.requires_grad for p in model.module.parameters()] == flags
    assert all(p.grad is None for p in model.module.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_one_treatment_which_survives_saving(name: str, tmp_path: Path) -> None:
    model = tiny("gpt2")
    first, second = _fit(name, model, seed=4), _fit(name, model, seed=4)
    assert first.digest == second.digest
    first.save(tmp_path / "saved")
    assert load(tmp_path / "saved").digest == first.digest


@pytest.mark.parametrize("name", NAMES)
def test_it_leaves_a_proof_and_says_what_it_is(name: str) -> None:
    model = tiny("llama")
    about = _fit(name, model).about
    assert about.proof["max_logprob_change"] > 0
    assert about.base == model.spec.digest
    assert registry.parse(about.method).name == name


@pytest.mark.parametrize("name", NAMES)
def test_what_it_needs_is_what_the_model_must_be_able_to_do(name: str) -> None:
    method = _make(name)
    assert method.needs <= frozenset(Ability)
    assert set(method.fits_on) <= set(EVERY_KIND)


@cache
def _lab() -> tuple[OpenModel, Benchmark, tuple[Example, ...]]:
    benchmark = cast(Benchmark, registry.create("benchmark", "genbiaseval"))
    return cast(OpenModel, open_model("lab:causal")), benchmark, tuple(benchmark.examples())


def _change_of_gap(name: str) -> tuple[float, float]:
    """The interval of the paired change of normalised AFGB on the lab's test prompts."""
    model, benchmark, training = _lab()
    treatment = cast(Mitigation, registry.create("mitigation", name)).fit(
        model, training, sites=_top(model), seed=0
    )
    before = take(model, benchmark).scores
    with treatment.applied(model) as treated:
        after = take(treated, benchmark).scores
    change = stats.paired_change(registry.get("metric", "afgb_normalised"), before, after)
    assert change.low is not None
    assert change.high is not None
    return change.low, change.high


# A prompt can only help a model that understands instructions; the lab's model reads one kind of sentence.
TRAINED = [n for n in NAMES if Ability.WEIGHTS in _make(n).needs and Example in _make(n).fits_on]


@pytest.mark.parametrize("name", TRAINED)
def test_mitigations_that_train_shrink_the_planted_gap_beyond_its_interval(name: str) -> None:
    assert _change_of_gap(name)[1] < 0


# What searches for prompts takes minutes on a trained model: tests/mitigations prove it, some of them slow.
DECIDERS = [
    n for n in NAMES if set(_make(n).fits_on) == {PersonExample} and n not in ("faircon", "fair_prompt")
]


@pytest.mark.parametrize("name", DECIDERS)
def test_mitigations_of_decisions_shrink_the_planted_gap_and_decide_no_worse(name: str) -> None:
    model = open_model("lab:decisions")
    benchmark = cast(Benchmark, registry.create("benchmark", "decisions:shots=0,n=300,train=300,dev=400"))
    treatment = _make(name).fit(model, list(benchmark.examples()), sites=None, seed=0)
    before = take(model, benchmark)
    with treatment.applied(model) as treated:
        after = take(treated, benchmark)
    gap, right = (
        stats.paired_change(registry.get("metric", metric), before.scores, after.scores)
        for metric in ("counterfactual_gap", "decision_accuracy")
    )
    assert gap.high is not None
    assert gap.high < -0.05  # of a planted gap of 0.19
    assert right.value is not None
    assert right.value > -0.01


@pytest.mark.parametrize(("name", "kind"), [(n, kind) for n in NAMES for kind in _make(n).fits_on[1:]])
def test_what_fits_on_several_kinds_fits_on_each(name: str, kind: type[TrainingExample]) -> None:
    model = tiny("llama")
    treatment = _make(name).fit(model, one_of_each()[kind], sites=_top(model), seed=0)
    assert treatment.about.proof["max_logprob_change"] > 0


def test_no_training_is_no_effect() -> None:
    with pytest.raises(NoEffect):
        registry.create("mitigation", "lftf:lr=0").fit(
            tiny("llama"), examples(), sites=_top(tiny("llama")), seed=0
        )
