"""Layouts beyond the contract: unknown architectures, own tables, split and tied parts."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from evenhand.architectures import Architecture, part, reading
from evenhand.architectures.table import LLAMA
from evenhand.errors import BadModel, UnknownName
from evenhand.models.causal import CausalModel
from evenhand.models.layout import Layout
from evenhand.testing import tiny


def test_site_names():
    layout = Layout(tiny.module("llama"))
    assert layout.n_blocks == 3
    assert layout.blocks() == ("block.0", "block.1", "block.2")
    assert layout.sites()[:6] == (
        "embeddings", "block.0", "block.0.attention", "block.0.mlp", "block.0.norm1", "block.0.norm2",
    )  # fmt: skip
    assert tuple(layout) == layout.sites()


def test_sites_are_the_modules_of_the_model():
    module = tiny.module("llama")
    layout = Layout(module)
    assert layout.module("block.2") is module.model.layers[2]
    assert layout.module("block.2.mlp") is module.model.layers[2].mlp
    assert layout.module("block.0.norm2") is module.model.layers[0].post_attention_layernorm
    assert layout.module("norm") is module.model.norm
    assert layout.module("head") is module.lm_head


def test_a_split_mlp_starts_and_ends_where_it_should():
    module = tiny.module("opt")
    layout = Layout(module)
    block = module.model.decoder.layers[1]
    assert layout.modules("block.1.mlp") == (block.fc1, block.fc2)
    assert layout.module("block.1.mlp") is block.fc2
    assert len(layout.parameters("block.1.mlp")) == 4


def test_a_module_that_adds_the_residual_is_tapped_before_it_does():
    module = tiny.module("bloom")
    assert Layout(module).module("block.0.attention") is module.transformer.h[0].self_attention.dense


def test_sandwich_norms_belong_to_their_side():
    module = tiny.module("gemma2")
    block, layout = module.model.layers[0], Layout(module)
    assert layout.modules("block.0.norm1") == (block.input_layernorm, block.post_attention_layernorm)
    assert layout.modules("block.0.norm2") == (
        block.pre_feedforward_layernorm,
        block.post_feedforward_layernorm,
    )


def test_parallel_blocks_have_one_norm():
    assert "block.0.norm2" not in Layout(tiny.module("phi")).sites()


def test_falcon_norms_follow_the_configuration():
    settings = {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 2}
    layout = Layout(tiny.module("falcon", **settings))
    assert list(layout.parameters("block.0.norm2")) == [
        "transformer.h.0.ln_mlp.weight", "transformer.h.0.ln_mlp.bias",
    ]  # fmt: skip


def test_a_tied_head_has_the_embeddings_parameter_under_one_name():
    module = tiny.module("gpt2")
    layout = Layout(module)
    assert list(layout.parameters("head")) == ["transformer.wte.weight"]
    assert layout.parameters("head")["transformer.wte.weight"] is module.lm_head.weight


def test_an_untied_head_has_its_own():
    assert list(Layout(tiny.module("llama", tie_word_embeddings=False)).parameters("head")) == [
        "lm_head.weight"
    ]


def test_unknown_sites_list_near_names():
    with pytest.raises(UnknownName, match=r"block\.1\.attention"):
        Layout(tiny.module("llama")).module("block.1.atention")


class Stranger(nn.Module):
    """An architecture that no table knows."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.ModuleDict({"mixer": nn.Linear(4, 4)}) for _ in range(2)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


OWN = Architecture(
    blocks="stages",
    attention=part("mixer"),
    mlp=part("mlp", optional=True),
)


def test_a_replaced_block_is_explained_and_found_when_the_model_is_refreshed():
    model = tiny.model("llama")
    names = set(model.layout.parameters("block.0"))
    model.module.model.layers[0] = copy.deepcopy(model.module.model.layers[0])
    with pytest.raises(BadModel, match=r"A module of block\.0 was replaced .* Call refresh\(\)"):
        model.layout.parameters("block.0")
    model.refresh()
    assert model.layout.module("block.0") is model.module.model.layers[0]
    assert set(model.layout.parameters("block.0")) == names


def test_a_given_layout_stays_when_the_model_is_refreshed():
    module = tiny.module("llama")
    given = Layout(module)
    model = CausalModel(module, tiny.tokenizer(), "hf:tiny", layout=given)
    model.refresh()
    assert model.layout is given


def test_an_unknown_architecture_is_explained():
    with pytest.raises(BadModel, match="'Stranger' has no layout") as caught:
        Layout(Stranger())
    assert "gpt2" in caught.value.what
    assert "llama" in caught.value.what
    assert "evenhand.architectures" in caught.value.mend


def test_an_own_architecture_can_be_passed():
    layout = Layout(Stranger(), OWN)
    assert layout.sites() == ("block.0", "block.0.attention", "block.1", "block.1.attention")


def test_an_architecture_that_does_not_fit_is_explained():
    with pytest.raises(BadModel, match=r"no list of blocks at 'model\.layers'"):
        Layout(Stranger(), LLAMA)


@pytest.mark.parametrize("group", ["evenhand.architectures", "evenhand.layouts"])
def test_another_package_can_register_one(monkeypatch, group):
    class Point:
        name = "Stranger"

        def load(self) -> Architecture:
            return OWN

    asked = group
    monkeypatch.setattr(reading, "entry_points", lambda group: [Point()] if group == asked else [])
    reading._registered.cache_clear()
    try:
        assert Layout(Stranger()).n_blocks == 2
    finally:
        reading._registered.cache_clear()


def test_a_layout_can_be_given_to_a_model():
    module = tiny.module("llama")
    layout = Layout(module, LLAMA)
    assert CausalModel(module, tiny.tokenizer(), "hf:x", layout=layout).layout is layout
