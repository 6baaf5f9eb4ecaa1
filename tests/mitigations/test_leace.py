"""LEACE: nothing linear of the groups is left where it was fitted, in every family; hints can be spared."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pytest

from evenhand import registry, subspaces
from evenhand.errors import BadData, BadModel, BadOption
from evenhand.mitigations._erasing.rows import Rows, group_logs, held_out, pairs_of
from evenhand.mitigations._erasing.states import prompt_states, text_states
from evenhand.mitigations.leace import Leace
from evenhand.records import Example, PairExample
from evenhand.scoring.terms import Prompts
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples, pairs
from evenhand.testing.laboratory import change, genbiaseval, opened
from evenhand.testing.mitigations import last_block
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny
from evenhand.treatments.projection import ProjectionTreatment
from evenhand.treatments.weights import WeightTreatment

CASE = MitigationCase("leace")


def _fit(method: Any, model: Any, given: Any = None) -> ProjectionTreatment:
    return cast(ProjectionTreatment, method.fit(model, given or examples(), sites=None, seed=0))


def _cov(states: np.ndarray, concept: np.ndarray) -> float:
    return float(np.abs((states - states.mean(0)).T @ (concept - concept.mean(0))).max() / len(states))


@pytest.mark.parametrize("kind", PROMISED)
@pytest.mark.parametrize("site", ["block.1", "to_head"])
def test_treated_states_have_no_covariance_with_what_the_model_preferred(kind: str, site: str) -> None:
    model = tiny(kind)
    table = group_logs(model, examples())
    leaning = table[:, 1:] - table[:, :1]
    before = prompt_states(model, site, examples())
    method = Leace(at="head") if site == "to_head" else Leace(blocks="1")
    treatment = _fit(method, model)
    assert list(treatment.maps) == [site]
    # The hook of the treatment comes first, so the state is read after it.
    with treatment.applied(model) as treated:
        after = prompt_states(treated, site, examples())
    assert _cov(before, leaning) > 0.01
    assert _cov(after, leaning) < 1e-4 * _cov(before, leaning) + 1e-5  # in float32


def test_the_state_of_a_prompt_is_the_last_one_of_its_own_row() -> None:
    model = tiny("llama")
    together = prompt_states(model, "block.1", examples())
    for i, example in enumerate(examples()[:3]):
        assert np.allclose(prompt_states(model, "block.1", [example]), together[i : i + 1], atol=1e-4)
    assert len(Prompts(model, examples()).opening(0).ids) < len(Prompts(model, examples()).opening(3).ids)


def test_the_state_of_a_text_is_the_mean_over_its_tokens_at_a_block_as_at_the_vectors() -> None:
    model, texts = (
        tiny("opt", do_layer_norm_before=False),
        ["The nurse smiled.", "The doctor sat down slowly."],
    )
    # Where no norm follows the last block, its output is the last hidden state.
    assert np.allclose(text_states(model, "block.2", texts), text_states(model, "vectors", texts), atol=1e-4)


@pytest.mark.parametrize("uri", ["lab:masked", "lab:seq2seq"])
def test_models_without_blocks_are_treated_at_the_head(uri: str) -> None:
    model: Any = opened(uri)
    given = [e for e in genbiaseval()[1] if not e.keep][:40]
    before = group_logs(model, given)
    treatment = _fit(Leace(), model, given)
    assert list(treatment.maps) == ["to_head"]
    assert treatment.about.proof["max_logprob_change"] > 0.01
    out = held_out([e.cluster for e in given], 0)
    fitted = [e for e, held in zip(given, out, strict=True) if not held]
    with treatment.applied(model) as treated:
        after = prompt_states(treated, "to_head", fitted)
    leaning = (before[:, 1:] - before[:, :1])[~out]
    assert _cov(after, leaning) < 1e-4
    assert (group_logs(model, given) == before).all()


def test_three_groups_lose_two_directions() -> None:
    given = [
        dataclasses.replace(e, groups=("a", "b", "c"), terms=((" he",), (" she",), (" they",)))
        for e in examples()
    ]
    (site,) = _fit(Leace(at="head"), tiny("llama"), given).about.details["sites"]
    assert site["directions"] == 2


def test_several_blocks_are_fitted_on_what_the_lower_ones_left() -> None:
    model = tiny("llama")
    both, second = _fit(Leace(blocks="2+1"), model), _fit(Leace(blocks="2"), model)
    assert list(both.maps) == ["block.1", "block.2"]
    assert not np.allclose(both.maps["block.2"].centre, second.maps["block.2"].centre)


def test_pairs_are_texts_of_the_male_and_the_female_word_in_this_order() -> None:
    turned = PairExample("1", "nurse", "She is a nurse.", "He is a nurse.")
    assert pairs_of([turned]) == [("nurse", "He is a nurse.", "She is a nurse.")]
    assert pairs_of([examples()[0]])[0][1].endswith("because he")
    with pytest.raises(BadData, match="the prompts have 3"):
        pairs_of([dataclasses.replace(examples()[0], terms=((" a",), (" b",), (" c",)))])
    (site,) = _fit(Leace(), tiny("llama"), pairs()).about.details["sites"]
    assert site["site"] == "vectors"


def test_subjects_are_held_out_together_and_a_permutation_keeps_pairs() -> None:
    out = held_out(["a", "b", "c", "d", "e", "a"], 0)
    assert sum(out) in (1, 2)  # one of five subjects, of which "a" has two rows
    assert out[0] == out[5]
    assert not held_out(["a", "b"], 0).any()
    codes = np.arange(20) % 2
    rows = Rows(np.zeros((20, 1)), subspaces.one_hot(codes, 2), codes, 2, ("x",) * 20, paired=True)
    turned = rows.permuted(1).codes.reshape(-1, 2)
    assert (turned.sum(1) == 1).all()
    assert 0 < turned[:, 0].sum() < 10


def test_a_sham_removes_as_much_variance_in_other_directions() -> None:
    model = tiny("llama")
    real = _fit(Leace(blocks="1"), model)
    sham = cast(
        ProjectionTreatment, Leace(blocks="1").sham(seed=3).fit(model, examples(), sites=None, seed=0)
    )  # type: ignore[union-attr]
    states = prompt_states(model, "block.1", examples())
    removed = []
    for treatment in (real, sham):
        one = treatment.maps["block.1"]
        taken = (states - one.centre.numpy()) @ one.right.numpy().T @ one.left.numpy().T
        removed.append(((taken - taken.mean(0)) ** 2).sum(1).mean())
    assert removed[1] == pytest.approx(removed[0], rel=1e-6)
    unit = [t.maps["block.1"].left.numpy().ravel() for t in (real, sham)]
    assert abs(unit[0] @ unit[1]) < 0.99 * np.linalg.norm(unit[0]) * np.linalg.norm(unit[1])


HINTED = tuple(
    Example(f"{e.id}/hint", e.cluster, f"{e.context} her dog because", e.groups, e.terms, keep=True)
    for e in examples()
)


def test_what_cannot_be_meant_is_refused_before_any_work() -> None:
    model = tiny("llama")
    for method, given, error, says in (
        (Leace(), HINTED, BadData, "nothing to fit leace on"),
        (Leace(when="detected"), examples(), BadOption, "with and without a hint"),
        (Leace(when="detected"), pairs(), BadOption, "with and without a hint"),
        (Leace(fold=True), pairs(), BadOption, "fold=true writes"),
        (Leace(at="head"), pairs(), BadOption, "at=head reads the states"),
        (Leace(blocks="7"), examples(), BadOption, "from 0 to 2"),
        (Leace(fold=True), examples(), BadModel, "takes a bias"),
    ):
        with pytest.raises(error, match=says):
            _fit(method, model, given)
    with pytest.raises(BadData, match="no covariance that could be inverted"):
        _fit(Leace(shrink="off", blocks="1"), model)
    with pytest.raises(BadOption, match="threshold"):
        Leace(threshold=1.5)


def test_a_head_with_a_bias_takes_the_map_in() -> None:
    model = tiny("phi")
    treatment = Leace(fold=True).fit(model, examples(), sites=last_block(model), seed=0)
    assert isinstance(treatment, WeightTreatment)
    assert treatment.touches == {"lm_head.weight", "lm_head.bias"}
    asked = examples()
    with treatment.applied(model) as treated:
        folded = group_logs(treated, asked)
    with _fit(Leace(at="head"), model).applied(model) as treated:
        assert np.allclose(group_logs(treated, asked), folded, atol=1e-3)


def test_on_the_lab_the_planted_gap_closes_and_detection_spares_the_hints() -> None:
    """Block 2 is where the bias was planted. Measured: the gap falls by 0.40 of 0.43 both ways; what a hint
    says loses 0.54 of its probability without detection, and 0.000 with it.
    """
    model, (benchmark, training) = opened("lab:causal"), genbiaseval()
    given = [*training, *cast(Any, benchmark).anchors()]
    hints: Any = registry.create("benchmark", "genhinteval")
    found = {}
    for when in ("always", "detected"):
        treatment = _fit(Leace(blocks="2", when=cast(Any, when)), model, given)
        (gap,) = change(treatment, model, benchmark, "afgb_normalised")
        found[when] = gap, change(treatment, model, hints, "ub")[0]
    for gap, _ in found.values():
        assert gap.high is not None
        assert gap.high < -0.3
    assert cast(float, found["always"][1].value) < -0.2
    assert abs(cast(float, found["detected"][1].value)) < 0.01
