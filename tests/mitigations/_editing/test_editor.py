"""MEND's editor and its training: shapes, normalisation, the change it makes, and the state of edits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evenhand.errors import BadModel
from evenhand.mitigations._editing.aims import Aim
from evenhand.mitigations._editing.editor import Editor, Gradient
from evenhand.mitigations._editing.fitting import group_log_p
from evenhand.mitigations._editing.subjects import requests
from evenhand.mitigations._editing.tuning import Edits, Recipe, applied, trained
from evenhand.models import OpenModel
from evenhand.models.projections import Projection, mlp_projections
from evenhand.records import Example
from evenhand.scoring.terms import outcomes
from evenhand.testing.examples import examples
from evenhand.testing.tiny import CORPUS
from evenhand.testing.tiny import model as tiny
from evenhand.training.parameters import only_these_train

SHAPES = [(48, 32), (32, 48), (48, 32)]
RECIPE = Recipe(8, 20, 4, 1e-4, 1e-4, 1e-4, 1.0, 1.0)


def _gradients(seed: int = 0) -> list[Gradient]:
    chance = torch.Generator().manual_seed(seed)
    return [
        Gradient(
            3 + 2 * torch.randn(5, given, generator=chance), 1e-3 * torch.randn(5, out, generator=chance)
        )
        for out, given in SHAPES
    ]


def test_maps_of_one_shape_share_an_editor_and_the_rank_is_at_most_the_width() -> None:
    editor = Editor(SHAPES, 1920, 0.1)
    assert editor.place == [(0, 0), (1, 0), (0, 1)]
    assert [tuple(shape.layers[0].u.shape) for shape in editor.of] == [(80, 80), (80, 80)]
    assert Editor(SHAPES, 7, 0.1).of[0].layers[1].v.shape == (7, 80)
    assert [tuple(c.slope.shape) for c in editor(_gradients())] == [(5, 48), (5, 32), (5, 48)]


def test_it_begins_as_the_normalised_gradient() -> None:
    """Mean 0 and deviation 1 of every coordinate over the edits seen; the change is -alpha times the pair."""
    editor, seen = Editor(SHAPES, 8, 0.25), [_gradients(0), _gradients(1)]
    editor.normalise(seen)
    both = [editor(gradients) for gradients in seen]
    for i, of in enumerate([[0, 2], [1], [0, 2]]):  # shape 0 has the maps 0 and 2
        given = torch.cat([found[j].given for found in both for j in of])
        slope = torch.cat([found[j].slope for found in both for j in of]) / -0.25
        for pair in (given, slope):
            assert torch.allclose(pair.mean(0), torch.zeros(pair.shape[1]), atol=1e-5)
            # the deviation of 1e-3 beside the published 1e-7 in the denominator
            assert torch.allclose(pair.std(0), torch.ones(pair.shape[1]), atol=1e-3), i


def test_an_edit_is_that_of_plain_numpy() -> None:
    """z normalised; h = z + relu(s1 (U1 V1 z + b1) + o1), the same again; W' = W - alpha sum of d' u'ᵀ."""
    editor, gradients = Editor(SHAPES, 8, 0.25), _gradients()
    with torch.no_grad():
        chance = torch.Generator().manual_seed(7)
        for parameter in editor.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=chance) + 0.1)
    editor.normalise([_gradients(0), _gradients(1)])
    made = editor(gradients)
    for i, (kind, number) in enumerate(editor.place):
        out, inner = SHAPES[i]
        same = [j for j in range(3) if SHAPES[j] == SHAPES[i]]
        seen = np.concatenate(
            [
                np.hstack([g[j].given.numpy(), g[j].slope.numpy()])
                for g in map(_gradients, (0, 1))
                for j in same
            ]
        ).astype(np.float64)
        x = np.hstack([gradients[i].given.numpy(), gradients[i].slope.numpy()])  # [tokens, in + out]
        x = (x - seen.mean(0)) / (seen.std(0, ddof=1) + 1e-7)
        for layer in editor.of[kind].layers:
            u, v, b = (p.detach().double().numpy() for p in (layer.u, layer.v, layer.bias))
            s, o = (p.detach().double().numpy()[number] for p in (layer.scale, layer.shift))
            x = x + np.maximum(s * (x @ v.T @ u.T + b) + o, 0)
        change = -float(editor.alpha[i].detach()) * x[:, inner:].T @ x[:, :inner]  # [out, in]
        ours = (made[i].slope.T @ made[i].given).detach().numpy()
        assert ours.shape == (out, inner)
        assert ours == pytest.approx(change, rel=1e-3, abs=1e-3 * np.abs(change).max())


def test_without_normalisation_the_slopes_would_be_lost_beside_the_inputs() -> None:
    editor = Editor(SHAPES, 8, 0.25)
    raw = editor(_gradients())[0].slope.abs().max()
    editor.normalise([_gradients()])
    assert editor(_gradients())[0].slope.abs().max() > 100 * raw


def test_tokens_without_a_gradient_add_nothing() -> None:
    editor = Editor(SHAPES, 8, 0.25)
    editor.normalise([_gradients()])
    padded = [
        Gradient(
            torch.cat([g.given, torch.ones(2, g.given.shape[1])]),
            torch.cat([g.slope, torch.zeros(2, g.slope.shape[1])]),
        )
        for g in _gradients()
    ]
    for one, other in zip(editor(_gradients()), editor(padded), strict=True):
        assert torch.equal(one.slope.T @ one.given, other.slope.T @ other.given)


def test_every_part_of_it_learns_from_the_first_step() -> None:
    """A relu, whose gradient at 0 is 0, would leave an editor that begins as the identity where it is."""
    editor = Editor(SHAPES, 8, 0.25)
    editor.normalise([_gradients()])
    sum((c.slope.T @ c.given).sum() for c in editor(_gradients())).backward()  # type: ignore[union-attr]
    for kind in editor.of:
        assert all(layer.u.grad.abs().max() > 0 for layer in kind.layers)


def _edits(model: OpenModel, given: tuple[Example, ...] = examples()) -> Edits:
    maps: list[Projection] = [of for block in (0, 1) for of in mlp_projections(model, f"block.{block}")]
    aim = Aim.of("balanced", group_log_p(model, given))
    return Edits(model, maps, requests(given, ["It rained."]), aim, CORPUS)


@pytest.mark.parametrize("kind", ["gpt2", "bloom", "llama", "gemma", "opt"])
def test_the_tokens_make_up_the_gradient_of_each_weight(kind: str) -> None:
    model = tiny(kind)
    edits = _edits(model)
    model.module.requires_grad_(False)
    found = edits.gradients([0, 5, 9])
    for of in edits.maps:
        of.parameter.requires_grad_(True)
    loss = edits.aim.some(torch.tensor([0, 5, 9])).rows(outcomes(model, [examples()[i] for i in (0, 5, 9)]))
    slopes = torch.autograd.grad(loss.sum(), [of.parameter for of in edits.maps])
    for of, gradient, slope in zip(edits.maps, found, slopes, strict=True):
        assert torch.allclose(gradient.slope.T @ gradient.given, of.turned(slope), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt"])
def test_a_change_that_is_tried_answers_as_one_that_is_written(kind: str) -> None:
    model = tiny(kind)
    edits = _edits(model)
    editor = Editor([of.shape for of in edits.maps], 8, 0.01)
    editor.normalise([edits.gradients(range(16))])
    with torch.no_grad(), only_these_train(model.module, [of.parameter for of in edits.maps]):
        before = edits.edit_loss(range(16), 1)
        with edits.changed(editor(edits.gradients(range(16))), 1 / 16):
            tried = edits.edit_loss(range(16), 1)
        applied(edits, editor, sequential=False)
        written = edits.edit_loss(range(16), 1)
    assert tried.item() == pytest.approx(written.item(), abs=1e-3)
    assert abs(tried.item() - before.item()) > 0.02


def test_a_sequential_edit_starts_from_the_one_before() -> None:
    """One edit is the same in both states; the same prompt again makes another change, on other weights."""
    twice = (examples()[0], examples()[0])
    model = tiny("llama")
    edits, single = _edits(model, twice), _edits(model, twice[:1])
    editor = Editor([of.shape for of in edits.maps], 8, 0.01)
    editor.normalise([edits.gradients([0])])

    def change(of: Edits, *, sequential: bool) -> torch.Tensor:
        with torch.no_grad(), only_these_train(model.module, [one.parameter for one in of.maps]):
            before = of.maps[-1].exact()
            applied(of, editor, sequential=sequential)
            return of.maps[-1].exact() - before

    one = change(single, sequential=False)
    assert torch.allclose(change(single, sequential=True), one, atol=1e-7)
    second = change(edits, sequential=True) - one
    assert not torch.allclose(second, one, rtol=0.01, atol=1e-4 * float(one.abs().max()))
    assert one.abs().max() > 0


def test_training_lowers_the_loss_on_subjects_that_were_held_out() -> None:
    model = tiny("llama")
    edits = _edits(model)
    with torch.no_grad(), only_these_train(model.module, [of.parameter for of in edits.maps]):
        model.module.requires_grad_(False)
        _, course = trained(edits, RECIPE, seed=0)
    assert (course.steps, course.kept) == (20, 20)
    assert course.best < course.first - 0.01


def test_one_subject_cannot_be_held_out() -> None:
    with pytest.raises(BadModel, match="two subjects"):
        trained(_edits(tiny("llama"), examples()[:4]), RECIPE, seed=0)
