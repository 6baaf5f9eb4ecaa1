"""Weights that are NaN are named at opening, and infinite ones where answers suffer from them."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from evenhand.errors import BadModel
from evenhand.models.causal import CausalModel
from evenhand.models.masked import MaskedModel
from evenhand.models.seq2seq import Seq2SeqModel
from evenhand.opening import open_model
from evenhand.records import ContextPair, Continuation, GreedyMatch, Sampling
from evenhand.scoring.finite import check_weights, not_finite
from evenhand.testing import tiny
from tests.support import families
from tests.support.asking import generated, vectors

NAME = "model.layers.1.mlp.down_proj.weight"
ITEM = Continuation("The nurse smiled because", " she")


def damaged(module: torch.nn.Module, name: str, value: float) -> torch.nn.Module:
    changed = copy.deepcopy(module)
    with torch.no_grad():
        changed.get_parameter(name).view(-1)[5] = value
    return changed


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_one_nan_is_found_and_infinities_of_both_signs_are_none(dtype):
    module = tiny.module("llama").to(dtype)
    try:
        check_weights("m", module)
        with torch.no_grad():
            module.get_parameter(NAME).view(-1)[:2] = torch.tensor([math.inf, -math.inf])
        check_weights("m", module)
        with torch.no_grad():
            module.get_parameter(NAME).view(-1)[7] = math.nan
        with pytest.raises(BadModel, match=rf"The weights of m are damaged: {NAME} hold NaN"):
            check_weights("m", module)
    finally:
        module.float()


def test_a_checkpoint_with_nan_is_refused_when_it_is_opened(tmp_path):
    damaged(tiny.module("llama"), NAME, math.nan).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(BadModel, match=rf"{tmp_path} are damaged: {NAME} hold NaN"):
        open_model(f"hf:{tmp_path}")


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.answer([ITEM]),
        lambda m: generated(m, [ITEM.context], Sampling(max_tokens=2)),
        lambda m: vectors(m, [ITEM.context]),
        lambda m: m.answer([GreedyMatch(ITEM.context, ITEM.text)]),
        lambda m: m.answer([ContextPair(ITEM.context, "The doctor")]),
    ],
)
def test_answers_that_are_no_numbers_name_the_weights(ask):
    model = CausalModel(damaged(tiny.module("llama"), NAME, math.inf), tiny.tokenizer(), "hf:inf")
    with pytest.raises(BadModel, match=rf"NaN or an infinity.*: its weights {NAME.replace('.', '[.]')} hold"):
        ask(model)


def test_the_other_families_name_them_too():
    bert, t5 = families.module("bert"), families.module("t5")
    layer = "bert.encoder.layer.1.output.dense.weight"
    masked = MaskedModel(damaged(bert, layer, math.inf), families.wordpiece(), "hf:inf")
    with pytest.raises(BadModel, match=f"its weights {layer}"):
        masked.answer([ITEM])
    layer = "decoder.block.1.layer.2.DenseReluDense.wo.weight"
    both = Seq2SeqModel(damaged(t5, layer, math.inf), families.sentencepiece(), "hf:inf")
    with pytest.raises(BadModel, match=f"its weights {layer}"):
        both.answer([ITEM])


def test_without_such_weights_the_dtype_is_to_blame():
    error = not_finite(tiny.module("llama"), " after 'x'")
    assert (
        error.what
        == "The model answers with NaN or an infinity after 'x', though all its weights are finite."
    )
    assert "float32" in error.mend
