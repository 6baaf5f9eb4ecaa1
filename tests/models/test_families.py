"""Which family a configuration describes, for the spellings that checkpoints really have."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import transformers

from evenhand.errors import BadModel
from evenhand.models.families import family, loader


def config(model_type: str, *architectures: str, two: bool = False) -> SimpleNamespace:
    return SimpleNamespace(model_type=model_type, architectures=architectures or None, is_encoder_decoder=two)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (config("gpt2", "GPT2LMHeadModel"), "causal"),
        (config("gpt2"), "causal"),  # old checkpoints state nothing; GPT-2 can be nothing else
        (config("gpt2", "GPT2Model"), "causal"),
        (config("llama", "LlamaForCausalLM"), "causal"),
        (config("bert", "BertForMaskedLM"), "masked"),
        (config("bert", "BertForPreTraining"), "masked"),
        (config("bert", "BertLMHeadModel"), "causal"),
        (config("roberta", "RobertaForMaskedLM"), "masked"),
        (config("modernbert", "ModernBertForMaskedLM"), "masked"),
        (config("distilbert", "DistilBertModel"), "masked"),
        (config("t5", "T5ForConditionalGeneration", two=True), "seq2seq"),
        (config("t5", "T5WithLMHeadModel", two=True), "seq2seq"),
        (config("mt5", "MT5ForConditionalGeneration", two=True), "seq2seq"),
        (config("bart", "BartForConditionalGeneration", two=True), "seq2seq"),
        (config("bart", "BartModel", two=True), "seq2seq"),  # as facebook/bart-base states it
        (config("bart", "BartForCausalLM"), "causal"),
        (config("bert", "BertModel"), "encoder"),  # as sentence embedders state it
        (config("xlm-roberta", "XLMRobertaModel"), "encoder"),
        (config("t5", "T5EncoderModel"), "encoder"),
    ],
)
def test_what_checkpoints_state(given, expected):
    assert family("x", given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (config("bert"), "can be causal or masked"),
        (config("roberta"), "no architecture"),
        (config("bert", "BertForSequenceClassification"), "is not a language model: it is a BertForSeq"),
        (config("vit", "ViTModel"), "is not a language model: it is a ViTModel"),
    ],
)
def test_what_cannot_be_opened(given, message):
    with pytest.raises(BadModel, match=message):
        family("x", given)


def test_loaders():
    assert loader("causal") is transformers.AutoModelForCausalLM
    assert loader("masked") is transformers.AutoModelForMaskedLM
    assert loader("seq2seq") is transformers.AutoModelForSeq2SeqLM
    assert loader("encoder", config("bert", "BertModel")) is transformers.AutoModel
    assert loader("encoder", config("t5", "T5EncoderModel")) is transformers.AutoModelForTextEncoding
