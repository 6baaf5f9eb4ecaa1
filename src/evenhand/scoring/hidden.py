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
from evenhand.scoring.batching import in_batches
from evenhand.scoring.finite import not_finite
from evenhand.scoring.forward import evaluating, pad_rows
from evenhand.scoring.tokens import check_ids, check_texts, embedding_rows, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase


@torch.no_grad()
def embeddings(
    module: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, batch_tokens: int = 2048
) -> NDArray[np.float64]:
    """One vector a text, [N, d], in order: the mean of the last hidden states, not normalised.

    The tokenizer's own marks around a text count as tokens, padding does not. A sequence-to-sequence model
    gives its encoder's states. Each distinct text runs once.

    Raises:
        BadData: a text gives no token, or does not fit into the model's window.
        BadModel: the model has no backbone or no weights for a token, or answers with NaN or an infinity.
        OutOfMemory: one text alone does not fit.
    """
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        return np.empty((0, 0))
    rows = _rows(module, tokenizer, distinct)
    body = backbone(module)
    known = inspect.signature(body.forward).parameters
    found: dict[int, NDArray[np.float64]] = {}

    def work(batch: list[int]) -> None:
        inputs = pad_rows([rows[i] for i in batch], "right", next(module.parameters()).device)
        given: dict[str, Any] = {n: inputs[n] for n in ("input_ids", "attention_mask") if n in known}
        if "use_cache" in known:
            given["use_cache"] = False
        states = body(**given, return_dict=True).last_hidden_state.double()
        mask = inputs["attention_mask"].unsqueeze(-1)
        means = (states * mask).sum(1) / mask.sum(1)
        for i, vector in zip(batch, means.cpu().numpy(), strict=True):
            if not np.isfinite(vector).all():
                raise not_finite(module, f" (hidden states for {shown(distinct[i])})")
            found[i] = vector

    with evaluating(module):
        in_batches([len(row) for row in rows], batch_tokens, work, label="embedding")
    place = {text: i for i, text in enumerate(distinct)}
    return np.stack([found[place[text]] for text in texts])


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


def _rows(
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
