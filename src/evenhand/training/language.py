"""Language modelling: the likelihood of plain texts as a loss, for fine-tuning on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evenhand.models import OpenModel
from evenhand.scoring.plan import Row
from evenhand.training.means import Mean
from evenhand.training.taught import predictions


@dataclass(frozen=True)
class Modelled:
    """The objective of language modelling: ``-ln P`` a wanted token of `rows`, in nats.

    Of a causal model's plain text (`evenhand.training.taught.of_texts`) every token counts, from the text's
    start on, as perplexity reads it. A masked model fills in masked tokens, and one with a decoder fills a
    gap. The mean is over all such tokens of the batch.
    """

    rows: Sequence[Row]

    def __call__(self, model: OpenModel, base: OpenModel) -> tuple[Mean]:
        """The one term."""
        return (Mean(rows_loss(model, self.rows), tokens(self.rows)),)


def tokens(rows: Sequence[Row]) -> Tensor:
    """How many tokens are wanted of each row, int64 [rows]."""
    return torch.tensor([len(row.wanted) for row in rows], dtype=torch.int64)


def rows_loss(model: OpenModel, rows: Sequence[Row]) -> Callable[[Tensor], Tensor]:
    """``-ln P`` a wanted token of the `rows` of given numbers (int64 [n]), a scalar in nats."""

    def loss(chosen: Tensor) -> Tensor:
        logits, targets = predictions(model, [rows[i] for i in chosen.tolist()])
        return torch.nn.functional.cross_entropy(logits, targets)  # of [R, V]

    return loss
