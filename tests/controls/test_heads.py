"""Heads: so many of all attention heads give nothing, the next one a part, and the others what they gave."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from evenhand.controls.heads import Heads
from evenhand.errors import BadModel, BadOption
from evenhand.models.projections import heads, output_projection
from evenhand.testing.tiny import model as tiny
from evenhand.testing.treatments import unchanged
from tests.support.families import masked, seq2seq


def left(kind: str, dose: float, seed: int = 0, blocks: str = "") -> torch.Tensor:
    """What each head of each block still gives: the ratio of the changed to the former matrix, [n]."""
    model = tiny(kind)
    control = Heads(dose=dose, blocks=blocks)
    names = control.parameters(model, unchanged(model, "block.1"), seed=seed)
    changed = control.changed(model, names, torch.Generator().manual_seed(seed))
    assert set(changed) == set(names)
    found = []
    for block in model.layout.blocks():
        projection = output_projection(model, block, "attention")
        if projection.weight not in changed:
            continue
        number = heads(model.module, projection)
        was, now = projection.matrix(), projection.turned(changed[projection.weight])  # [out, in]
        for one, other in zip(was.chunk(number, dim=1), now.chunk(number, dim=1), strict=True):
            ratio = (other / one).flatten()
            assert torch.allclose(ratio, ratio[0].expand_as(ratio), atol=1e-6)  # whole heads, nothing else
            found.append(ratio[0])
    return torch.stack(found)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gptj"])  # gpt2 stores its matrices the other way round
def test_so_many_heads_give_nothing_and_the_next_one_a_part(kind: str) -> None:
    n = len(left(kind, 0.5))
    dose = 2.25 / n  # two heads, and a quarter of a third
    found = left(kind, dose).sort().values
    assert found[:2].tolist() == [0.0, 0.0]
    assert found[2].item() == pytest.approx(0.75)
    assert found[3:].tolist() == [1.0] * (n - 3)


def test_seeds_draw_other_heads_and_more_doses_take_more() -> None:
    drawn = {tuple((left("llama", 0.2, seed) < 1).nonzero().flatten().tolist()) for seed in range(6)}
    assert len(drawn) > 3
    assert left("llama", 0.3).sum() > left("llama", 0.35).sum() > left("llama", 0.6).sum()


def test_heads_are_those_of_the_named_blocks_else_of_all_whatever_the_treatment_touches() -> None:
    model: Any = tiny("llama")
    beside = unchanged(model, "block.1")
    every = Heads().parameters(model, beside, seed=0)
    assert len(every) == model.layout.n_blocks
    assert Heads(blocks="0").parameters(model, beside, seed=0) == every[:1]
    with pytest.raises(BadOption):
        Heads(blocks="99").parameters(model, beside, seed=0)


def test_blocks_without_a_plain_output_matrix_keep_their_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    from evenhand.models import projections

    def only_block_2(model: Any, block: str, half: Any) -> Any:
        if block != "block.2":
            raise BadModel("packed", mend="none")
        return output_projection(model, block, half)

    model = tiny("llama", num_hidden_layers=3)
    monkeypatch.setattr(projections, "output_projection", only_block_2)
    (name,) = Heads().parameters(model, unchanged(model, "block.1"), seed=0)
    assert name in model.layout.parameters("block.2")
    assert Heads(blocks="0").parameters(model, unchanged(model, "block.1"), seed=0) == ()  # no family


@pytest.mark.parametrize("dose", [0, 1, -0.1])
def test_a_dose_is_a_share(dose: float) -> None:
    with pytest.raises(BadOption, match="heads cannot use dose"):
        Heads(dose=dose)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "modernbert", "t5"])
def test_masked_and_sequence_models_have_heads_as_well(kind: str) -> None:
    model: Any = (seq2seq if kind == "t5" else masked)(kind)
    assert len(Heads().parameters(model, unchanged(model, "block.0"), seed=0)) == model.layout.n_blocks
