"""`CausalModel`: what it is, and digests that change with every weight."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from evenhand.errors import BadModel, UsageError
from evenhand.models.causal import CausalModel
from evenhand.models.digests import model_digest, tokenizer_digest, weights_digest
from evenhand.records import Continuation, Sampling
from evenhand.testing import tiny
from tests.support.asking import generated

ITEM = Continuation("The nurse smiled because", " she")


def test_the_spec_says_which_model():
    model = tiny.model("gpt2")
    assert model.spec.uri == "hf:tiny-gpt2"
    assert model.spec.family == "causal"
    assert model.spec.parameters == sum(p.numel() for p in set(model.module.parameters()))
    assert model.spec.revision is None


def test_dropout_is_off():
    module = tiny.module("gpt2").train()
    assert not CausalModel(module, tiny.tokenizer(), "hf:x").module.training


def test_the_same_weights_have_the_same_digest():
    assert weights_digest(tiny.module("gpt2")) == weights_digest(tiny.module("gpt2"))
    assert weights_digest(tiny.module("gpt2")) != weights_digest(tiny.module("gpt2", seed=1))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gemma2"])
def test_any_one_bit_of_any_parameter_changes_the_digest(kind):
    module = tiny.module(kind)
    seen = {weights_digest(module)}
    for parameter in module.parameters():
        bits = parameter.detach().view(torch.int32)
        bits.view(-1)[-1] ^= 1
        seen.add(weights_digest(module))
        bits.view(-1)[-1] ^= 1
    assert len(seen) == 1 + len(list(module.parameters()))
    assert weights_digest(module) in seen


def test_names_shapes_and_dtypes_count():
    flat, tall = torch.nn.Linear(6, 1, bias=False), torch.nn.Linear(1, 6, bias=False)
    tall.weight.data = flat.weight.data.clone().view(6, 1)
    assert weights_digest(flat) != weights_digest(tall)
    module = tiny.module("llama")
    assert weights_digest(copy.deepcopy(module).to(torch.bfloat16)) != weights_digest(module)


def test_saved_buffers_count_and_others_do_not():
    module = torch.nn.Linear(2, 2)
    before = weights_digest(module)
    module.register_buffer("cache", torch.ones(2), persistent=False)
    assert weights_digest(module) == before
    module.register_buffer("bias_of_router", torch.ones(2))
    assert weights_digest(module) != before


def test_tied_weights_count_once():
    module = tiny.module("gpt2")
    assert weights_digest(module) == weights_digest(copy.deepcopy(module))


def test_the_tokenizer_counts_but_not_its_padding():
    plain, marked = tiny.tokenizer(), tiny.tokenizer(bos=True)
    assert tokenizer_digest(plain) != tokenizer_digest(marked)
    before = tokenizer_digest(plain)
    other = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(plain.backend_tokenizer.to_str()))
    other.backend_tokenizer.enable_padding(length=7)
    other.backend_tokenizer.enable_truncation(5)
    assert tokenizer_digest(other) == before
    module = tiny.module("gpt2")
    assert model_digest(module, plain) != model_digest(module, marked)


def test_refresh_follows_the_weights():
    model = tiny.model("gpt2")
    first = model.spec.digest
    with torch.no_grad():
        model.module.transformer.h[0].mlp.c_fc.weight[0, 0] += 1e-3
    assert model.spec.digest == first, "the digest is of the weights as they were opened"
    model.refresh("hf:other")
    assert model.spec.digest != first
    assert model.spec.uri == "hf:other"


def test_a_tokenizer_without_padding_token_serves_mixed_lengths():
    model = tiny.model("gpt2")
    assert model.tokenizer.pad_token_id is None
    items = [ITEM, Continuation("The carpenter sat down slowly because", " she")]
    together = model.answer(items)
    assert [a.value for a in together] == pytest.approx([model.answer([i])[0].value for i in items], abs=1e-5)
    assert model.scoring().probe is not None


@pytest.mark.filterwarnings("ignore")
def test_a_model_without_a_layout_still_answers():
    model = tiny.model("rwkv")
    assert model.answer([ITEM])[0].value < 0
    first, second = generated(model, ["The nurse", "The doctor left because"], Sampling(max_tokens=3))
    assert [first] == generated(model, ["The nurse"], Sampling(max_tokens=3))
    assert second.n_tokens == 3
    with pytest.raises(BadModel, match="'rwkv' has no layout"):
        _ = model.layout


def test_the_budget_is_passed_on():
    model = tiny.model("gpt2", batch_tokens=5)
    model.answer([ITEM, Continuation("The doctor", " left the door")])
    assert model.scoring().forwards == 2
    assert model.scoring().batch_tokens == 5


@pytest.mark.parametrize("given", [["hello"], "hello", Continuation("a", " b")])
def test_what_is_no_list_of_requests_is_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="no list of requests"):
        tiny.model("llama").answer(given)
