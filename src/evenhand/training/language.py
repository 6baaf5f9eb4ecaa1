"""Language modelling: the likelihood of plain texts as a loss, for fine-tuning on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from evenhand.models import OpenModel
from evenhand.records import Continuation
from evenhand.scoring.forward import SelectedHead, run_rows
from evenhand.scoring.terms import padding_of
from evenhand.scoring.tokens import Encoder


def text_loss(model: OpenModel, texts: Sequence[str]) -> Callable[[Tensor], Tensor]:
    """``-ln P`` a token of the `texts` of given numbers (int64 [n]), from their start on: a scalar in nats.

    The mean is over all scored tokens of the batch. Texts are encoded once, as perplexity reads them.

    Raises:
        BadData: a text is empty, or does not fit into the model's window.
    """
    encoded = Encoder.of(model.module, model.tokenizer).encode([Continuation("", text) for text in texts])
    padding = padding_of(model.module)

    def loss(chosen: Tensor) -> Tensor:
        rows = [encoded[i] for i in chosen.tolist()]
        positions = [range(row.start - 1, len(row.ids) - 1) for row in rows]
        with SelectedHead(model.module) as head:
            logits = run_rows(model.module, head, [row.ids for row in rows], positions, padding=padding)
        targets = torch.tensor([token for row in rows for token in row.ids[row.start :]])  # [R]
        return torch.nn.functional.cross_entropy(logits, targets.to(logits.device))  # of [R, V]

    return loss
