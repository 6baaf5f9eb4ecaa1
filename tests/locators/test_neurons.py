"""Neurons: shares beside the same replacement by hand, and a neuron that alone makes the gap."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.hooks import feed
from evenhand.locators.neurons import Neurons
from evenhand.locators.random import Random
from evenhand.models import OpenModel
from evenhand.models.projections import output_projection
from evenhand.records import Attribution
from evenhand.scoring.terms import outcomes
from evenhand.testing.cases import LocatorCase
from evenhand.testing.examples import PROFESSIONS, examples
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny

CASE = LocatorCase(
    "neurons",
    no_lab="the lab's bias passes through attention: the MLPs' neurons hold less than 2 % of it",
)


def _located(model: OpenModel, **options: object) -> Attribution:
    return Neurons(**options).locate(model, examples(), None, seed=0)  # type: ignore[arg-type]


def _p(model: OpenModel) -> Tensor:
    """P(he), P(she) of every prompt, run alone, [16, 2]."""
    with torch.no_grad():
        return torch.cat([outcomes(model, [e]).log_p.exp() for e in examples()]).double()


def _spread(p: Tensor, base: Tensor) -> float:
    """sum y(p) . t / sum t . t, with y = (P1 - P2) / 2 twice, so that the halves cancel."""
    y, y0 = p[:, 0] - p[:, 1], base[:, 0] - base[:, 1]
    t = y0 - y0.mean()
    return float((y * t).sum() / (t * t).sum())


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "bloom"])
def test_integrated_shares_add_up_to_what_is_lost_at_the_means(kind: str) -> None:
    """Completeness: a block's shares sum to the spread minus the spread with its neurons at their means."""
    model = tiny(kind)
    found = _located(model, method="integrated", steps=32)
    base = _p(model)
    for score in found.scores:
        projection = output_projection(model, score.site, "mlp")
        keys: list[Tensor] = []
        with feed(projection.module, lambda x, keys=keys: keys.append(x.reshape(-1, x.shape[-1])[-1])):  # type: ignore[misc]
            _p(model)
        mean = torch.stack(keys).mean(0)

        def held(x: Tensor, mean: Tensor = mean) -> Tensor:
            changed = x.reshape(-1, x.shape[-1]).clone()
            changed[-1] = mean
            return changed.reshape(x.shape)

        with feed(projection.module, held):
            lost = _spread(base, base) - _spread(_p(model), base)
        assert score.value == pytest.approx(lost, abs=0.02 * max(0.1, abs(lost)))


def test_first_order_shares_are_the_derivative_by_finite_differences() -> None:
    model = tiny("llama")
    model.module.double()
    found = _located(model, top=10_000)
    base, projection = _p(model), output_projection(model, "block.1", "mlp")
    keys: list[Tensor] = []
    with feed(projection.module, lambda x: keys.append(x[0, -1])):
        _p(model)
    mean = torch.stack(keys).mean(0)

    def at(step: float) -> float:
        def moved(x: Tensor) -> Tensor:
            changed = x.clone()
            changed[:, -1] = x[:, -1] + step * (x[:, -1] - mean)
            return changed

        with feed(projection.module, moved):
            return _spread(_p(model), base)

    slope = (at(1e-4) - at(-1e-4)) / 2e-4
    assert found.scores[1].value == pytest.approx(slope, rel=1e-3, abs=1e-6)
    mine = [n["share"] for n in found.details["neurons"] if n["block"] == "block.1"]
    assert sum(mine) == pytest.approx(found.scores[1].value)
    assert len(found.details["neurons"]) == 3 * 48


@pytest.mark.parametrize("method", ["gradient", "integrated"])
def test_a_neuron_that_alone_makes_the_gap_is_found(method: str) -> None:
    """Neuron 7 of block 1 is +1/10 or -1/10 by profession, and writes far from " she" to " he".

    The prompts end with their subject, so that it can be read there. A random ranking, the neighbour, knows
    nothing of it.
    """
    model = tiny("llama", gain=20.0)
    module: Any = model.module
    head = module.get_output_embeddings().weight.detach()
    ids = [model.tokenizer(form, add_special_tokens=False).input_ids[0] for form in (" he", " she")]
    difference = head[ids[0]] - head[ids[1]]
    projection = output_projection(model, "block.1", "mlp")
    with torch.no_grad():
        for layer in module.model.layers:  # no other neuron writes
            layer.mlp.down_proj.weight.zero_()
        projection.module.get_parameter("weight")[:, 7] = 30 * difference / difference.norm()
    sides = {model.tokenizer(f" {p}").input_ids[-1]: (-1.0) ** i for i, p in enumerate(PROFESSIONS)}
    probes = [
        dataclasses.replace(e, context=f"The {e.cluster}") for e in examples() if e.id.endswith("/smiled")
    ]
    seen: list[Tensor] = []

    def said(x: Tensor) -> Tensor:
        signs = torch.tensor([sides[int(token)] for token in seen[-1][:, -1]])
        changed = x.clone()
        changed[:, -1, 7] = 0.1 * signs.to(x)
        return changed

    with feed(module.get_input_embeddings(), seen.append), feed(projection.module, said):
        found = Neurons(method=method).locate(model, probes, None, seed=0)  # type: ignore[arg-type]
    first, second = found.details["neurons"][:2]
    assert (first["block"], first["neuron"]) == ("block.1", 7)
    assert abs(first["share"]) > 1e-3
    assert second["share"] == 0


@pytest.mark.parametrize("kind", PROMISED)
@pytest.mark.parametrize("at", ["last", "subject"])
def test_it_reads_every_architecture(kind: str, at: str) -> None:
    found = _located(tiny(kind), at=at)
    assert len(found.scores) == tiny(kind).layout.n_blocks
    assert len(found.details["neurons"]) == 20
    shares = [abs(n["share"]) for n in found.details["neurons"]]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0
    if at == "subject":  # after the last block nothing reads the subject's state
        assert found.scores[-1].value == pytest.approx(0.0, abs=1e-9)


def test_an_outcome_can_be_explained_instead() -> None:
    model = tiny("llama")
    first = Neurons().locate(model, examples(), lambda p: p[:, 0].mean(), seed=0)
    doubled = Neurons().locate(model, examples(), lambda p: 2 * p[:, 0].mean(), seed=0)
    assert [s.value for s in doubled.scores] == pytest.approx([2 * s.value for s in first.scores])
    assert not Random().locate(model, examples(), None, seed=0).specific  # the neighbour looks at nothing


def test_mixtures_and_prompts_without_subjects_are_refused() -> None:
    with pytest.raises(BadModel, match="no single output matrix, as in a mixture of experts"):
        _located(tiny("mixtral"))
    lost = (dataclasses.replace(examples()[0], span=None),)
    with pytest.raises(BadData, match="does not say where its subject stands"):
        Neurons().locate(tiny("llama"), lost, None, seed=0)
