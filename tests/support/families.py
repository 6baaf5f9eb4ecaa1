"""Tiny random masked and sequence-to-sequence models, each with a tokenizer of its family's own kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from evenhand.models.masked import MaskedModel
from evenhand.models.seq2seq import Seq2SeqModel
from evenhand.testing.tiny import CORPUS

_ENCODER: Mapping[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 160,
}
_DEBERTA = {**_ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 0}
MASKED: Mapping[str, Mapping[str, Any]] = {
    "bert": _ENCODER,
    "roberta": _ENCODER,
    "albert": {**_ENCODER, "embedding_size": 16},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 160},
    "modernbert": {**_ENCODER, "local_attention": 6, "global_attn_every_n_layers": 2},
    "deberta": _DEBERTA,
    "deberta-v2": _DEBERTA,
    "electra": {**_ENCODER, "embedding_size": 16},
    "xlm-roberta": _ENCODER,
}
"""`config.model_type` to the settings of a tiny masked model; the first seven are promised."""
_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
_BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 64,
}
SEQ2SEQ: Mapping[str, Mapping[str, Any]] = {
    "t5": _T5,
    "mt5": {**_T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "bart": _BART,
}
"""`config.model_type` to the settings of a tiny sequence-to-sequence model."""
BOTH_WAYS = frozenset({*MASKED, *SEQ2SEQ, "camembert"})  # CamemBERT is a RoBERTa
"""Architectures that read a text in both directions: texts share nothing when they are scored."""
_PAD, _CLS, _SEP, _MASK, _UNK = "[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SIGNS = ".,!?'-:;"
_WORDS = (
    "the",
    "nurse",
    "smiled",
    "because",
    "she",
    "he",
    "was",
    "late",
    "doctor",
    "left",
    "carp",
    "it",
    "is",
    "a",
)


@cache
def wordpiece() -> PreTrainedTokenizerFast:
    """BERT's kind: lower case, words in pieces (carp ##enter), marks at both ends."""
    pieces = [_PAD, _UNK, _CLS, _SEP, _MASK, *_SIGNS, *_LETTERS, *(f"##{c}" for c in _LETTERS), "##enter"]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys((*pieces, *_WORDS)))}
    inner = Tokenizer(models.WordPiece(vocabulary, unk_token=_UNK))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.decoder = decoders.WordPiece()
    _ends(inner, _CLS, _SEP)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token=_UNK, pad_token=_PAD, cls_token=_CLS, sep_token=_SEP,
        mask_token=_MASK,
    )  # fmt: skip


@cache
def bytelevel() -> PreTrainedTokenizerFast:
    """RoBERTa's and BART's kind: bytes, spaces glued to words, a mask that swallows the space before it."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.train_from_iterator(
        CORPUS * 4,
        trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    _ends(inner, "<s>", "</s>")
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        pad_token="<pad>", mask_token=AddedToken("<mask>", lstrip=True, special=True),
    )  # fmt: skip
    return made


@cache
def sentencepiece(*, masks: bool = False) -> PreTrainedTokenizerFast:
    """T5's kind: pieces that carry their space, an end mark, sentinels; ALBERT's (`masks`): two marks."""
    marks = [_PAD, _CLS, _SEP, _MASK, _UNK] if masks else ["<pad>", "</s>", "<unk>"]
    # A rare letter costs much more than a whole word, so that known words stay whole.
    letters = [*_LETTERS, *_LETTERS.upper(), *_SIGNS, "▁"]
    scores = dict.fromkeys(marks, 0.0) | {f"▁{w}": -4.0 for w in (*_WORDS, "The", "enter")}
    scores |= dict.fromkeys(letters, -8.0) | {"enter": -5.0}
    inner = Tokenizer(models.Unigram(list(scores.items()), unk_id=len(marks) - 1, byte_fallback=False))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    _ends(inner, _CLS if masks else None, _SEP if masks else "</s>")
    if masks:
        return PreTrainedTokenizerFast(
            tokenizer_object=inner, unk_token=_UNK, pad_token=_PAD, cls_token=_CLS, sep_token=_SEP,
            mask_token=_MASK,
        )  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", pad_token="<pad>", eos_token="</s>",
        extra_special_tokens=["<extra_id_0>", "<extra_id_1>"],
    )  # fmt: skip


def _ends(inner: Tokenizer, first: str | None, last: str) -> None:
    single = f"{first} $A {last}" if first else f"$A {last}"
    marks = [(mark, inner.token_to_id(mark)) for mark in (first, last) if mark]
    inner.post_processor = processors.TemplateProcessing(single=single, special_tokens=marks)


def tokenizer_of(kind: str) -> PreTrainedTokenizerFast:
    """The tokenizer that models of `kind` have."""
    if kind in ("roberta", "modernbert", "deberta", "bart"):
        return bytelevel()
    if kind in ("t5", "mt5"):
        return sentencepiece()
    return sentencepiece(masks=True) if kind in ("albert", "deberta-v2", "xlm-roberta") else wordpiece()


@cache
def module(kind: str, *, seed: int = 0) -> PreTrainedModel:
    """A tiny random model in evaluation mode, float32, its matrices enlarged as in `tiny.module`."""
    tokenizer = tokenizer_of(kind)
    gain = 1.5 if kind in ("t5", "mt5") else 8.0  # T5's own start is wide
    settings: dict[str, Any] = {
        **{**MASKED, **SEQ2SEQ}[kind],
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "cls_token_id": tokenizer.cls_token_id,
        "sep_token_id": tokenizer.sep_token_id,
    }
    if kind in SEQ2SEQ:
        settings["decoder_start_token_id"] = (
            tokenizer.eos_token_id if kind == "bart" else tokenizer.pad_token_id
        )
    maker = AutoModelForSeq2SeqLM if kind in SEQ2SEQ else AutoModelForMaskedLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = maker.from_config(AutoConfig.for_model(kind, **settings))
        with torch.no_grad():
            embedding = made.get_input_embeddings().weight
            for parameter in made.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(gain / 2 if parameter is embedding else gain)
    return made.eval()


def masked(kind: str = "bert", *, batch_tokens: int | None = None, **changes: Any) -> MaskedModel:
    """A tiny `MaskedModel` of `kind`."""
    return MaskedModel(
        module(kind, **changes), tokenizer_of(kind), f"hf:tiny-{kind}", batch_tokens=batch_tokens
    )


def seq2seq(kind: str = "t5", *, batch_tokens: int | None = None, **options: Any) -> Seq2SeqModel:
    """A tiny `Seq2SeqModel` of `kind`."""
    return Seq2SeqModel(
        module(kind), tokenizer_of(kind), f"hf:tiny-{kind}", batch_tokens=batch_tokens, **options
    )
