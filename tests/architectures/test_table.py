"""The table checks itself: a tiny model of every type in it is what its row says."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)

from evenhand.architectures import Architecture, first_position, is_recurrent, window
from evenhand.architectures.checking import check_positions, misfit
from evenhand.architectures.table import LLAMA, ROWS
from evenhand.errors import BadData, BadModel
from evenhand.models.causal import CausalModel
from evenhand.models.layout import Layout
from evenhand.models.masked import MaskedModel
from evenhand.records import Continuation, Generation, Sampling
from evenhand.testing import tiny
from tests.scoring.reference import naive
from tests.support import families

pytestmark = pytest.mark.filterwarnings("ignore")

WITH_SITES = sorted(kind for kind, row in ROWS.items() if row.blocks)
FAMILIES = sorted({*families.MASKED, *families.SEQ2SEQ} & {*WITH_SITES})
SHIFTED = sorted(kind for kind, row in ROWS.items() if row.first_position != 0)
CAUSAL_AND_SHIFTED = ("camembert", "data2vec-text", "roberta", "roberta-prelayernorm", "xlm-roberta")
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "attention_window": 8,
    "entity_vocab_size": 10,
    "languages": ["en_XX"],
    "default_language": "en_XX",
    "mask_token_id": 5,
}


def shifted(kind: str, maker: Any = AutoModelForMaskedLM, **changes: Any) -> PreTrainedModel:
    """A tiny model whose position table has 40 rows."""
    settings = {**SMALL, "vocab_size": len(tiny.tokenizer()), "pad_token_id": 1, **changes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = maker.from_config(AutoConfig.for_model(kind, **settings)).eval()
        with torch.no_grad():
            for parameter in made.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(8)
    return made


def longest(module: nn.Module) -> int:
    """The most tokens that the module itself can read."""
    for length in range(30, 60):
        try:
            with torch.no_grad():
                module(input_ids=torch.arange(length)[None] + 100)
        except (IndexError, RuntimeError):
            return length - 1
    raise AssertionError("nothing limits it")


@pytest.mark.parametrize("kind", [k for k in WITH_SITES if k in {**tiny.CONFIGS, **tiny.FURTHER}])
def test_sites_are_where_the_row_says(kind):
    module = tiny.module(kind)
    assert misfit(module, ROWS[kind]) is None
    layout = Layout(module)
    assert layout.n_blocks == module.config.num_hidden_layers
    assert {"embeddings", "norm", "head", "block.0.attention", "block.0.mlp"} <= set(layout.sites())


@pytest.mark.parametrize("kind", FAMILIES)
def test_sites_of_models_that_fill_gaps(kind):
    """The blocks of an encoder come first, and each block's halves and norms hold all of its parameters."""
    module = families.module(kind)
    assert misfit(module, ROWS[kind]) is None
    layout = Layout(module)
    writes = kind in families.SEQ2SEQ
    assert (layout.n_blocks, layout.encoding) == ((4, 2) if writes else (2, 0))
    assert [layout.encodes(site) for site in layout.blocks()] == [True] * layout.encoding + [False, False]
    assert {"embeddings", "head", "block.1.attention", "block.1.mlp", "block.1.norm2"} <= set(layout.sites())
    for block in layout.blocks():
        parts = [s for s in layout.sites() if s.startswith(f"{block}.")]
        own = {name for site in parts for name in layout.parameters(site)}
        crossed = {
            n
            for n in layout.parameters(block)
            if "EncDec" in n or "encoder_attn" in n or "layer.1.layer_norm" in n
        }
        assert set(layout.parameters(block)) - own <= crossed, block
    assert not writes or (len(layout.as_blocks()), layout.lowest(layout.parameters("block.3"))) == (0, 0)


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
def test_a_backbone_alone_has_the_sites_of_the_model_with_a_head(kind):
    backbone = families.module(kind).base_model
    layout = Layout(backbone)
    assert layout.n_blocks == 2
    assert "head" not in layout.sites()
    assert "embeddings" in layout.sites()


@pytest.mark.parametrize("kind", sorted(ROWS))
def test_types_are_those_of_the_library(kind):
    AutoConfig.for_model(kind)


@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("kind", SHIFTED)
def test_positions_and_windows_are_those_of_the_module(kind, padding):
    module = shifted(kind, pad_token_id=padding)
    check_positions(module)
    assert window(module.config) == longest(module)


@pytest.mark.parametrize("kind", ["bert", "albert", "electra", "distilbert", "gpt2", "opt", "biogpt"])
def test_windows_of_tables_that_begin_at_0(kind):
    maker = AutoModelForCausalLM if kind in tiny.CONFIGS else AutoModelForMaskedLM
    module = shifted(kind, maker, n_positions=40, ffn_dim=32, n_embd=32, n_head=4, n_layer=2)
    assert first_position(module.config) == 0
    assert window(module.config) == longest(module) == 40


@pytest.mark.parametrize("kind", sorted(tiny.RECURRENT))
def test_what_carries_a_state(kind):
    assert is_recurrent(tiny.module(kind).config)


@pytest.mark.parametrize("kind", CAUSAL_AND_SHIFTED)
def test_causal_models_whose_positions_do_not_begin_at_0_are_scored_soundly(kind):
    """They were given the rows of the table that are for padding."""
    module = shifted(kind, AutoModelForCausalLM, is_decoder=True, bos_token_id=0, eos_token_id=0)
    model = CausalModel(module, tiny.tokenizer(), f"hf:tiny-{kind}")
    items = [
        Continuation("The nurse smiled because", " she"),
        Continuation("The carpenter sat down slowly because he was", " tired"),
    ]
    for item, found in zip(items, model.answer(items), strict=True):
        value, _ = naive(module, tiny.tokenizer(), item)
        assert found.value == pytest.approx(value, abs=1e-4)
    assert model.scoring().path == "left", "right padding would hide wrong positions, at a cost"
    long = Continuation("The nurse " * 19 + "sat", " down")
    with pytest.raises(BadData, match="window of 38"):
        model.answer([long])


def test_a_classifier_of_any_type_cuts_where_its_table_ends(tmp_path):
    """MPNet has the same two rows less as RoBERTa, whatever the id of its padding token is."""
    from evenhand.models.classifier import HfClassifier
    from tests.models.test_classifier import saved

    for kind in ("mpnet", "roberta", "bert"):
        reader = HfClassifier(str(saved(tmp_path / kind, kind=kind)))
        assert reader._longest == {"mpnet": 62, "roberta": 63, "bert": 64}[kind]
        (found,) = reader.classify(["The nurse smiled. " * 60])
        assert sum(found.values()) == pytest.approx(1)


def test_positions_that_are_not_the_rows_are_refused():
    module = shifted("roberta")
    module.config.pad_token_id = 3
    with pytest.raises(BadModel, match=r"position_embeddings begins at 2, but a roberta .* begins at 4"):
        MaskedModel(module, families.bytelevel(), "hf:wrong")
    made = shifted("roberta", AutoModelForSequenceClassification)
    made.config.pad_token_id = 0
    with pytest.raises(BadModel, match="begins at 2"):
        check_positions(made)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda m: m.config.__setattr__("num_hidden_layers", 4),
            "3 blocks at 'model.layers', but .* states 4",
        ),
        (lambda m: m.model.__delattr__("norm"), "nothing at 'model.norm', where its norm should be"),
        (lambda m: m.model.layers[1].__delattr__("mlp"), "nothing at 'mlp', where mlp of block 1 should be"),
        (lambda m: m.model.__delattr__("layers"), "no list of blocks at 'model.layers'"),
        (lambda m: setattr(m, "get_output_embeddings", lambda: None), "no language-model head"),
    ],
)
def test_a_model_that_does_not_fit_its_row_is_explained(damage, said):
    module = tiny.module("llama")
    damage(module)
    with pytest.raises(BadModel, match=said):
        Layout(module)


def test_a_model_that_does_not_fit_its_row_is_scored_with_a_note():
    module = tiny.module("llama")
    module.config.num_hidden_layers = 3
    for block in module.model.layers:
        block.norm3 = block.post_attention_layernorm
        block.forward = _renamed(block)
        del block.post_attention_layernorm
    model = CausalModel(module, tiny.tokenizer(), "hf:renamed")
    item = Continuation("The nurse smiled because", " she")
    assert model.answer([item])[0].value == tiny.model("llama").answer([item])[0].value
    assert "It can be scored, but its blocks cannot be located: This model has nothing at" in " ".join(
        model.notes()
    )
    with pytest.raises(BadModel, match="post_attention_layernorm"):
        _ = model.layout


def _renamed(block: Any) -> Any:
    def forward(hidden_states: torch.Tensor, **options: Any) -> torch.Tensor:
        attended, _ = block.self_attn(hidden_states=block.input_layernorm(hidden_states), **options)
        hidden_states = hidden_states + attended
        return hidden_states + block.mlp(block.norm3(hidden_states))

    return forward


def test_a_row_of_defaults_says_nothing():
    row = Architecture()
    assert not row.shares
    assert not row.recurrent
    assert row.first_position == 0
    assert {f.name for f in fields(row)} >= {"blocks", "window"}
    assert LLAMA.shares


def test_generation_of_shifted_causal_models_is_the_argmax_chain():
    module = shifted("roberta", AutoModelForCausalLM, is_decoder=True, bos_token_id=0, eos_token_id=0)
    model = CausalModel(module, tiny.tokenizer(), "hf:tiny-roberta")
    ids = tiny.tokenizer()("The nurse smiled")["input_ids"]
    start = len(ids)
    with torch.no_grad():
        for _ in range(4):
            ids.append(int(module(torch.tensor([ids])).logits[0, -1].argmax()))
    (found, _) = model.answer(
        [
            Generation(text, Sampling(max_tokens=4))
            for text in ("The nurse smiled", "The carpenter sat down slowly")
        ]
    )
    assert found.text == tiny.tokenizer().decode(ids[start:])
