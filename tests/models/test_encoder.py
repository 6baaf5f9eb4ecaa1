"""Encoders without a language-model head: embeddings are measured, everything else is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from evenhand.benchmarks.genbiaseval import GenBiasEval
from evenhand.benchmarks.seat import Seat
from evenhand.errors import BadModel
from evenhand.models.encoder import EncoderModel
from evenhand.opening import open_model
from evenhand.records import Continuation, Sampling
from evenhand.studies.measure import take
from tests.support import families
from tests.support.asking import generated, vectors

TEXTS = ["He is late.", "The nurse smiled because she was late."]


def saved(folder: Path, kind: str, **more: bool) -> transformers.PreTrainedModel:
    """The backbone of a tiny model of `kind` alone, with its tokenizer, in `folder`."""
    config = families.module(kind).config
    torch.manual_seed(0)
    module = transformers.AutoModel.from_config(config, **more)
    module.save_pretrained(folder)
    families.wordpiece().save_pretrained(folder)
    return module.eval()


@torch.no_grad()
def means(module, tokenizer) -> np.ndarray:
    rows = [tokenizer(text, return_tensors="pt")["input_ids"] for text in TEXTS]
    return np.stack([module(input_ids=row).last_hidden_state[0].mean(0).numpy() for row in rows])


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_a_backbone_gives_its_mean_states(tmp_path, kind):
    module = saved(tmp_path, kind)
    model = open_model(f"hf:{tmp_path}")
    assert isinstance(model, EncoderModel)
    assert model.spec.family == "encoder"
    np.testing.assert_allclose(vectors(model, TEXTS), means(module, model.tokenizer), atol=1e-5)


def test_the_pooler_does_not_matter(tmp_path):
    saved(tmp_path, "bert", add_pooling_layer=False)
    first, second = open_model(f"hf:{tmp_path}"), open_model(f"hf:{tmp_path}")
    assert first.spec.family == "encoder"
    assert first.spec.digest == second.spec.digest  # nothing random is part of it


def test_half_of_a_model_opens_as_its_encoder(tmp_path):
    whole = families.module("t5")
    half = transformers.T5EncoderModel(copy.deepcopy(whole.config))  # it changes what it is given
    half.save_pretrained(tmp_path)
    families.tokenizer_of("t5").save_pretrained(tmp_path)
    model = open_model(f"hf:{tmp_path}")
    assert isinstance(model, EncoderModel)
    assert vectors(model, TEXTS).shape == (2, whole.config.d_model)


def test_a_lost_weight_is_not_made_up(tmp_path):
    from safetensors.torch import load_file, save_file

    saved(tmp_path, "bert")
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(BadModel, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        open_model(f"hf:{tmp_path}")


def test_it_is_measured_by_seat_and_refuses_the_rest(tmp_path):
    saved(tmp_path / "model", "bert")
    own = {
        "targ1": {"category": "Male", "examples": ["He is late.", "The doctor left."]},
        "targ2": {"category": "Female", "examples": ["She is late.", "The nurse left."]},
        "attr1": {"category": "Work", "examples": ["The carpenter smiled."]},
        "attr2": {"category": "Home", "examples": ["She left because it was late."]},
    }
    file = tmp_path / "own.json"
    file.write_text(json.dumps(own))
    model = open_model(f"hf:{tmp_path / 'model'}")
    assert take(model, Seat(file=str(file))).metrics["weat_effect"].value is not None
    with pytest.raises(BadModel, match="is an encoder without a language-model head"):
        take(model, GenBiasEval())
    with pytest.raises(BadModel, match=r"without a language-model head: it gives no log-prob.*seat"):
        model.answer([Continuation("The nurse", " left")])
    with pytest.raises(BadModel, match="writes no text"):
        generated(model, ["The nurse"], Sampling(4))
