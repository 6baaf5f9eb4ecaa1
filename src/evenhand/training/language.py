"""Language modelling: the likelihood of plain texts as a loss, for fine-tuning on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from evenhand.models import OpenModel
from evenhand.scoring.plan import Row
from evenhand.training.taught import of_texts, predictions


def text_loss(model: OpenModel, texts: Sequence[str], *, seed: int = 0) -> Callable[[Tensor], Tensor]:
    """``-ln P`` a token of the `texts` of given numbers (int64 [n]), a scalar in nats.

    Of a causal model every token counts, from the text's start on, as perplexity reads it. A masked model
    fills in masked tokens, and one with a decoder fills a gap; what is hidden in each text is drawn with
    `seed`. The mean is over all such tokens of the batch. Texts are encoded once.

    Raises:
        BadData: a text is empty, or does not fit into the model's window.
        BadModel: a model with a decoder that fills no gaps.
    """
    return rows_loss(model, of_texts(model, texts, seed=seed))


def rows_loss(model: OpenModel, rows: Sequence[Row]) -> Callable[[Tensor], Tensor]:
    """``-ln P`` a wanted token of the `rows` of given numbers (int64 [n]), a scalar in nats."""

    def loss(chosen: Tensor) -> Tensor:
        logits, targets = predictions(model, [rows[i] for i in chosen.tolist()])
        return torch.nn.functional.cross_entropy(logits, targets)  # of [R, V]

    return loss
