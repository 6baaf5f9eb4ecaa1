"""Ablation of heads and MLPs beside the same replacement written out by hand."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadModel
from evenhand.hooks import feed, patch
from evenhand.locators.ablation import Ablation
from evenhand.models import OpenModel
from evenhand.models.projections import heads, output_projection
from evenhand.records import Attribution
from evenhand.scoring.terms import outcomes
from evenhand.testing.examples import examples
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny
from evenhand.training.parameters import chosen_blocks


def _gap(model: OpenModel) -> float:
    with torch.no_grad():
        p = torch.cat([outcomes(model, [e]).log_p.exp() for e in examples()])
    return float(((p[:, 0] - p[:, 1]).abs() / p.sum(1)).mean())


def _located(model: OpenModel, **options: str) -> Attribution:
    return Ablation(**options).locate(model, examples(), seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", PROMISED)
@pytest.mark.parametrize("replace", ["mean", "zero"])
def test_heads_are_the_fall_under_the_replacement_by_hand(kind: str, replace: str) -> None:
    model = tiny(kind)
    found = _located(model, part="head", replace=replace)
    sites = [f"block.{b}.head.{h}" for b in range(model.layout.n_blocks) for h in range(4)]
    assert [s.site for s in found.scores] == sites
    base = _gap(model)
    for block, head in ((0, 1), (model.layout.n_blocks - 1, 3)):
        projection = output_projection(model, f"block.{block}", "attention")
        size = projection.width // heads(model.module, projection)
        columns = slice(head * size, (head + 1) * size)
        seen: list[Tensor] = []
        with feed(projection.module, lambda x, seen=seen: seen.append(x.reshape(-1, x.shape[-1])[-1])):  # type: ignore[misc]
            _gap(model)
        mean = torch.stack(seen).mean(0)[columns] * (replace == "mean")

        def held(x: Tensor, columns: slice = columns, mean: Tensor = mean) -> Tensor:
            changed = x.reshape(-1, x.shape[-1]).clone()
            changed[-1, columns] = mean
            return changed.reshape(x.shape)

        with feed(projection.module, held):
            fall = base - _gap(model)
        score = next(s.value for s in found.scores if s.site == f"block.{block}.head.{head}")
        assert score == pytest.approx(fall, abs=2e-5)


@pytest.mark.parametrize("kind", PROMISED)
def test_mlps_are_the_fall_under_the_replacement_by_hand(kind: str) -> None:
    model = tiny(kind)
    found = _located(model, part="mlp", replace="zero")
    base = _gap(model)
    for score in found.scores:

        def silent(output: Tensor, _: Tensor) -> Tensor:
            changed = output.reshape(-1, output.shape[-1]).clone()
            changed[-1] = 0.0
            return changed.reshape(output.shape)

        with patch(model, score.site, silent):
            assert score.value == pytest.approx(base - _gap(model), abs=2e-5)


def test_a_head_that_makes_the_gap_is_told_from_its_block() -> None:
    """Blocks alone cannot say which head it is; heads can: all the others of its block write nothing."""
    model = tiny("llama")
    with torch.no_grad():
        for number, layer in enumerate(model.module.model.layers):  # type: ignore[union-attr, arg-type]
            keep = layer.self_attn.o_proj.weight[:, 16:24].clone()
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
            if number == 1:
                layer.self_attn.o_proj.weight[:, 16:24] = keep
    found = _located(model, part="head")
    others = [s.value for s in found.scores if s.site != "block.1.head.2"]
    assert others == pytest.approx([0.0] * 11, abs=1e-6)
    assert abs(next(s.value for s in found.scores if s.site == "block.1.head.2")) > 1e-3
    block = next(s.value for s in _located(model).scores if s.site == "block.1")
    assert next(s.value for s in found.scores if s.site == "block.1.head.2") == pytest.approx(block, abs=1e-5)


def test_a_method_that_wants_blocks_takes_the_blocks_of_the_parts() -> None:
    model = tiny("llama")
    found = _located(model, part="head")
    order = list(dict.fromkeys(site[:7] for site in found.ranking()))
    assert chosen_blocks(model, found, top=2) == tuple(order[:2])
    assert chosen_blocks(model, _located(model, part="mlp"), top=3) == tuple(
        site[:7] for site in _located(model, part="mlp").ranking()
    )


def test_what_has_no_such_part_is_refused() -> None:
    model = tiny("llama")
    model.module.config.num_attention_heads = 5  # type: ignore[union-attr]
    with pytest.raises(BadModel, match="does not say how many heads"):
        _located(model, part="head")
    both = tiny("llama")
    both.spec = dataclasses.replace(both.spec, family="masked")
    with pytest.raises(BadModel, match="ablation:part=mlp follows a prompt's tokens from left to right"):
        _located(both, part="mlp")
    with pytest.raises(BadModel, match="single output matrix"):
        output_projection(tiny("mixtral"), "block.0", "mlp")
