"""A map of hidden states: its arithmetic, its places, that nothing kept bypasses it, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from evenhand import subspaces
from evenhand.errors import BadData, BadModel
from evenhand.hooks import TO_HEAD, VECTORS
from evenhand.models import logprobs
from evenhand.models.digests import weights_digest
from evenhand.records import Continuation, Embedding, Undefined
from evenhand.scoring.blocks import altered
from evenhand.scoring.terms import Prompts, outcomes
from evenhand.subspaces import Affine, Probe
from evenhand.testing.examples import examples
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny
from evenhand.training.restarts import run_above
from evenhand.treatments import About, load, scaled
from evenhand.treatments.projection import MAPS, ProjectionTreatment, StateMap, folded
from evenhand.treatments.weights import WeightTreatment

ASKED = [request for example in examples()[:6] for request in example.requests()]


def _removal(width: int = 32, *, centre: float = 0.0) -> Affine:
    rows = np.random.default_rng(5).normal(size=(2, width))
    return subspaces.removal(rows, np.full(width, centre))


def _treatment(model: object, site: str, **more: float) -> ProjectionTreatment:
    one = StateMap.of(_removal(**more))  # type: ignore[arg-type]
    return ProjectionTreatment(About("test", model.spec.digest, 0), {site: one})  # type: ignore[attr-defined]


def _values(model: object) -> list[float]:
    return [a.value for a in logprobs(model, ASKED) if not isinstance(a, Undefined)]  # type: ignore[arg-type]


def test_the_map_by_hand() -> None:
    # h = (3, 4), centre (1, 0), v = e1: h - (3 - 1) e1 = (1, 4); then the shift (0, 1) gives (1, 5).
    removed = subspaces.removal(np.array([[2.0, 0.0]]), np.array([1.0, 0.0]))
    one = StateMap.of(removed, shift=np.array([0.0, 1.0]))
    assert one(torch.tensor([[3.0, 4.0]])).tolist() == [[1.0, 5.0]]
    assert one.scaled(0.5)(torch.tensor([[3.0, 4.0]])).tolist() == [[2.0, 4.5]]
    # A probe that is above 1/2 where the second entry is: (3, 4) is mapped, (3, -4) is not.
    some = StateMap.of(removed, probe=Probe(np.array([0.0, 1.0]), 0.0))
    assert some(torch.tensor([[3.0, 4.0], [3.0, -4.0]])).tolist() == [[1.0, 4.0], [3.0, -4.0]]
    sure = StateMap.of(removed, probe=Probe(np.array([0.0, 1.0]), 0.0), threshold=0.99)  # sigma(4) = 0.982
    assert sure(torch.tensor([[3.0, 4.0]])).tolist() == [[3.0, 4.0]]
    narrow = one(torch.tensor([[3.0, 4.0]], dtype=torch.bfloat16))
    assert narrow.dtype == torch.bfloat16
    assert narrow.tolist() == [[1.0, 5.0]]


@pytest.mark.parametrize("kind", [*PROMISED, "mamba"])
def test_the_head_of_every_architecture_reads_mapped_states_and_nothing_is_left(kind: str) -> None:
    model = tiny(kind)
    before, weights = _values(model), weights_digest(model.module)
    with _treatment(model, TO_HEAD).applied(model) as treated:
        after = _values(treated)
        assert treated.spec.digest != model.spec.digest
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) > 0.01
    assert _values(model) == before
    assert weights_digest(model.module) == weights
    assert not altered(model.module)


@pytest.mark.parametrize("kind", PROMISED)
@pytest.mark.parametrize("site", ["block.1", VECTORS])
def test_blocks_and_vectors_of_every_architecture(kind: str, site: str) -> None:
    model = tiny(kind)
    before = _values(model)
    with _treatment(model, site).applied(model) as treated:
        assert _values(treated) != before
    assert _values(model) == before


def test_the_vector_of_a_text_has_no_component_along_what_was_removed() -> None:
    model, text = tiny("llama"), [Embedding("The nurse smiled because she was late.")]
    (before,) = model.answer(text)
    with _treatment(model, VECTORS).applied(model) as treated:
        (after,) = treated.answer(text)
    rows = _removal().right  # [2, d], orthonormal
    assert np.abs(rows @ np.array(before.values)).max() > 0.1  # type: ignore[union-attr]
    assert np.abs(rows @ np.array(after.values)).max() < 1e-5  # type: ignore[union-attr]
    # The map of a mean is the mean of the maps.
    assert np.allclose(_removal()(np.array(before.values)), after.values, atol=1e-5)  # type: ignore[union-attr]


@pytest.mark.parametrize("site", ["block.0", "block.1", "block.2", TO_HEAD, VECTORS])
def test_no_kept_pass_bypasses_the_hook(site: str) -> None:
    """A treatment of block 2 runs the same passes three times, so that block 2's input is kept."""
    model = tiny("llama")
    name = "model.layers.2.mlp.up_proj.weight"
    weights = WeightTreatment(
        About("w", model.spec.digest, 0), {name: 1.1 * model.module.get_parameter(name).detach()}
    )
    found = []
    for projected in (False, False, False, True, False):
        with weights.applied(model) as once:
            if not projected:
                found.append(_values(once))
                continue
            other = ProjectionTreatment(About("p", once.spec.digest, 0), {site: StateMap.of(_removal())})
            with other.applied(once) as twice:
                inside = _values(twice)
    assert found[0] == found[1] == found[2] == found[3]
    fresh = tiny("llama")
    with (
        WeightTreatment(About("w", fresh.spec.digest, 0), weights.weights).applied(fresh) as once,
        ProjectionTreatment(About("p", once.spec.digest, 0), {site: StateMap.of(_removal())}).applied(
            once
        ) as twice,
    ):
        assert inside == pytest.approx(_values(twice), abs=1e-5)
    assert max(abs(a - b) for a, b in zip(inside, found[0], strict=True)) > 0.01


def test_rows_that_begin_at_a_block_run_whole_under_a_hook() -> None:
    model = tiny("llama")
    prompts = Prompts(model, examples())
    names = list(model.layout.parameters("block.2"))
    with torch.no_grad():
        plain = prompts.outcomes(
            range(4), run_above(model, names, prompts)
        ).log_p  # keeps states below block 2
        with _treatment(model, "block.0").applied(model):
            inside = prompts.outcomes(range(4), run_above(model, names, prompts)).log_p
            whole = outcomes(model, examples()[:4]).log_p
        again = prompts.outcomes(range(4), run_above(model, names, prompts)).log_p
    torch.testing.assert_close(inside, whole)
    torch.testing.assert_close(again, plain)
    assert (inside - plain).abs().max() > 0.01


@pytest.mark.parametrize(
    ("kind", "tied"), [("llama", False), ("gpt2", True), ("gemma", True), ("bloom", True)]
)
def test_folded_into_the_head_it_gives_the_same_answers(kind: str, tied: bool) -> None:
    model = tiny(kind, tie_word_embeddings=tied)
    about = About("test", model.spec.digest, 0)
    embeddings = model.module.get_input_embeddings().weight  # type: ignore[operator]
    before, bits = _values(model), embeddings.detach().clone()
    with ProjectionTreatment(about, {TO_HEAD: StateMap.of(_removal())}).applied(model) as treated:
        hooked = _values(treated)
    weights = WeightTreatment(about, folded(model, StateMap.of(_removal())))
    with weights.applied(model) as treated:
        assert torch.equal(embeddings, bits)  # untied first: the input stays
        written = _values(treated)
    assert written == pytest.approx(hooked, abs=2e-4)
    assert _values(model) == before
    head = model.module.get_output_embeddings().weight  # type: ignore[operator]
    assert (head is embeddings) == tied


def test_what_cannot_be_folded_is_refused() -> None:
    model = tiny("llama")
    with pytest.raises(BadModel, match="keeps the mean of the states, which takes a bias"):
        folded(model, StateMap.of(_removal(centre=1.0)))
    with pytest.raises(BadModel, match="acts where a probe says so"):
        folded(model, StateMap.of(_removal(), probe=Probe(np.zeros(32), 0.0)))


def test_a_bias_holds_what_the_map_adds() -> None:
    # W = I of two words, b = (0, 5); r(h) = h - e1 e1'(h - (2, 0)) = (2, h2): W' = diag(0, 1), b' = (2, 5).
    head = torch.nn.Linear(2, 2)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
        head.bias.copy_(torch.tensor([0.0, 5.0]))
    module = torch.nn.Sequential(head)
    module.get_output_embeddings = lambda: head  # type: ignore[assignment]
    model = type("Model", (), {"module": module})()
    found = folded(model, StateMap.of(subspaces.removal(np.array([[1.0, 0.0]]), np.array([2.0, 0.0]))))
    assert found["0.weight"].tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert found["0.bias"].tolist() == [2.0, 5.0]


def test_it_survives_saving_and_says_when_it_is_damaged(tmp_path: Path) -> None:
    model = tiny("llama")
    one = StateMap.of(_removal(), probe=Probe(np.ones(32), 0.5), threshold=0.25)
    treatment = ProjectionTreatment(About("test", model.spec.digest, 0), {"block.1": one, TO_HEAD: one})
    treatment.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    assert isinstance(again, ProjectionTreatment)
    assert again.digest == treatment.digest
    assert again.maps["block.1"].threshold == 0.25
    with treatment.applied(model) as treated:
        kept = _values(treated)
    with again.applied(model) as treated:
        assert _values(treated) == kept
    (tmp_path / "saved" / MAPS).write_bytes(b"no tensors")
    with pytest.raises(BadData, match="is damaged"):
        load(tmp_path / "saved")


def test_its_strength_can_be_multiplied_and_another_model_is_refused() -> None:
    model = tiny("llama")
    treatment = _treatment(model, "block.1")
    half = scaled(treatment, model, 0.5)
    assert isinstance(half, ProjectionTreatment)
    torch.testing.assert_close(half.maps["block.1"].left, 0.5 * treatment.maps["block.1"].left)
    with pytest.raises(BadModel, match="was fitted to a model with digest"), treatment.applied(tiny("gpt2")):
        pass
    assert ASKED[0] == Continuation(examples()[0].context, " he")
