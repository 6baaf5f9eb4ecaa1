"""Texts as vectors: every family gives the mean of its last hidden states, whatever the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import BertModel

from evenhand.errors import BadData, BadModel
from evenhand.models.causal import CausalModel
from evenhand.scoring.runners.embedding import backbone, embeddings
from evenhand.testing import tiny
from tests.support import families
from tests.support.asking import vectors, weights

pytestmark = pytest.mark.filterwarnings("ignore")
TEXTS = ["The nurse smiled.", "It is late because the carpenter left.", "The doctor", "The nurse smiled."]


def opened(kind: str):
    if kind in families.MASKED:
        return families.masked(kind)
    return families.seq2seq(kind) if kind in families.SEQ2SEQ else tiny.model(kind)


@torch.no_grad()
def alone(model, text: str) -> np.ndarray:
    """One text in one pass: the last hidden states that the whole model reports, averaged."""
    ids = model.tokenizer(text, return_tensors="pt")["input_ids"]
    if model.spec.family == "seq2seq":
        given = model.module(input_ids=ids, decoder_input_ids=ids[:, :1])
        return given.encoder_last_hidden_state[0].double().mean(0).numpy()
    states = model.module(input_ids=ids, output_hidden_states=True).hidden_states[-1]
    return states[0].double().mean(0).numpy()


@pytest.mark.parametrize(
    "kind", ["gpt2", "llama", "opt", "bert", "roberta", "albert", "modernbert", "t5", "bart"]
)
@pytest.mark.parametrize("budget", [1, 4096])
def test_the_mean_of_the_last_states_alone_and_in_a_batch(kind, budget):
    model = opened(kind)
    found = embeddings(weights(model.module, model.tokenizer, batch_tokens=budget), TEXTS)
    assert found.dtype == np.float64
    assert np.array_equal(found[0], found[3]), "one text, one vector"
    for text, vector in zip(TEXTS, found, strict=True):
        np.testing.assert_allclose(vector, alone(model, text), atol=1e-4)
    assert np.abs(found[0] - found[1]).max() > 1e-2


@pytest.mark.parametrize("kind", ["gpt2", "bert", "t5"])
def test_every_family_answers_it(kind):
    model = opened(kind)
    direct = embeddings(model, TEXTS)
    np.testing.assert_allclose(vectors(model, TEXTS), direct, atol=1e-5)


def test_an_encoder_without_a_head_works_too():
    body = families.module("bert").base_model
    assert isinstance(body, BertModel)
    found = embeddings(weights(body, families.wordpiece()), TEXTS[:1])
    np.testing.assert_allclose(found, vectors(families.masked("bert"), TEXTS[:1]), atol=1e-5)


def test_duplicates_run_once(monkeypatch):
    model = families.masked("bert")
    rows = []
    body = backbone(model.module)
    handle = body.register_forward_pre_hook(
        lambda m, a, k: rows.append(len(k["input_ids"])), with_kwargs=True
    )
    vectors(model, TEXTS * 3)
    handle.remove()
    assert rows == [3]


def test_what_cannot_be_embedded():
    model = families.masked("bert")
    assert embeddings(model, []).shape[0] == 0
    with pytest.raises(BadData, match="gives no token"):
        vectors(tiny.model("gpt2"), [""])
    with pytest.raises(BadData, match="does not fit into the window of 160"):
        vectors(model, ["it " * 170])
    with pytest.raises(BadModel, match="Linear has no backbone"):
        embeddings(weights(torch.nn.Linear(2, 2), model.tokenizer), ["a"])


def test_states_that_are_no_numbers_are_an_error():
    module = tiny.module("gpt2", seed=3)
    with torch.no_grad():
        module.transformer.ln_f.weight[0] = torch.nan
    with pytest.raises(BadModel, match="NaN"):
        vectors(CausalModel(module, tiny.tokenizer(), "hf:x"), ["The nurse"])
