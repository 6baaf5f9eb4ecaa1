"""Texts as vectors: the mean of a model's last hidden states, for any family of models.

Source: May et al. 2019 (SEAT) and the mean over all tokens that later work uses for every encoder.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from evenhand.architectures import window
from evenhand.errors import BadData, BadModel
from evenhand.progress import task
from evenhand.records import Embedding, Vector
from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.finite import check_finite
from evenhand.scoring.forward import device_of, evaluating, pad_rows
from evenhand.scoring.runners import Runner, Weights
from evenhand.scoring.tokens import check_ids, check_texts, embedding_rows, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

_Row = tuple[str, tuple[int, ...]]  # a text and its ids


@torch.no_grad()
def embeddings(model: Weights, texts: Sequence[str]) -> NDArray[np.float64]:
    """One vector a text, [N, d], in order: the mean of the last hidden states, not normalised.

    The tokenizer's own marks around a text count as tokens, padding does not. A sequence-to-sequence model
    gives its encoder's states. Each distinct text runs once.

    Raises:
        BadData: a text gives no token, or does not fit into the model's window.
        BadModel: the model has no backbone or no weights for a token, or answers with NaN or an infinity.
        OutOfMemory: one text alone does not fit.
    """
    module = model.module
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        return np.empty((0, 0))
    ids = _ids(module, model.tokenizer, distinct)
    body = backbone(module)
    found: dict[str, NDArray[np.float64]] = {}
    with evaluating(module), task("embedding", len(distinct), unit="row") as advance:
        rows = list(zip(distinct, ids, strict=True))
        room = Room(model.batch_tokens)
        for batch, means in in_batches(rows, _load, room, lambda batch: _means(module, body, batch)):
            found |= zip((text for text, _ in batch), means, strict=True)
            advance(len(batch))
    return np.stack([found[text] for text in texts])


def _load(row: _Row) -> Load:
    return Load(len(row[1]))


def _means(module: nn.Module, body: nn.Module, batch: Sequence[_Row]) -> NDArray[np.float64]:
    """The mean of the last hidden states of each text, [R, d]."""
    known = inspect.signature(body.forward).parameters
    inputs = pad_rows([ids for _, ids in batch], "right", device_of(module))
    given: dict[str, Any] = {n: inputs[n] for n in ("input_ids", "attention_mask") if n in known}
    if "use_cache" in known:
        given["use_cache"] = False
    states = body(**given, return_dict=True).last_hidden_state.double()  # [R, tokens, d]
    mask = inputs["attention_mask"].unsqueeze(-1)  # [R, tokens, 1]
    means = (states * mask).sum(1) / mask.sum(1)  # [R, d]

    def where() -> str:
        first = int(means.isfinite().all(-1).logical_not().nonzero()[0])
        return f" (hidden states for {shown(batch[first][0])})"

    check_finite(module, means, where)
    return np.asarray(means.cpu().numpy())


def backbone(module: Any) -> nn.Module:
    """The part of a Hugging Face model that gives hidden states: without its head, of two halves the encoder.

    Raises:
        BadModel: there is none.
    """
    if getattr(getattr(module, "config", None), "is_encoder_decoder", False):
        body = module.get_encoder()
    else:
        body = getattr(module, "base_model", None)
    if not isinstance(body, nn.Module):
        raise BadModel(
            f"{type(module).__name__} has no backbone to read hidden states from.",
            mend="Use a model class of the transformers library.",
        )
    return body


def _ids(
    module: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]
) -> list[tuple[int, ...]]:
    limit, known = window(getattr(module, "config", None)), embedding_rows(module)
    check_texts(texts)
    rows = [tuple(ids) for ids in tokenizer(list(texts), verbose=False)["input_ids"]]
    for text, row in zip(texts, rows, strict=True):
        if not row:
            raise BadData(f"The text {shown(text)} gives no token.", mend="Give a text with a word in it.")
        check_ids(tokenizer, row, known, text)
        if limit is not None and len(row) > limit:
            raise BadData(
                f"The text {shown(text)} of {len(row)} tokens does not fit into the window of {limit}.",
                mend="Shorten it; nothing is cut off silently.",
            )
    return rows


def run(model: Weights, items: Sequence[Embedding]) -> list[Vector]:
    """The vector of each text, in order; see `embeddings`."""
    texts = list(dict.fromkeys(item.text for item in items))
    found = zip(texts, embeddings(model, texts).tolist(), strict=True)
    vectors = {text: Vector(tuple(values)) for text, values in found}
    return [vectors[item.text] for item in items]


runner = Runner((Embedding,), run)
