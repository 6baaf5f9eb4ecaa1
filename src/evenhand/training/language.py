"""Language modelling: the likelihood of plain texts as a loss, for fine-tuning on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from evenhand.models import OpenModel
from evenhand.scoring.asking import asking
from evenhand.scoring.forward import SelectedHead


def text_loss(model: OpenModel, texts: Sequence[str], *, seed: int = 0) -> Callable[[Tensor], Tensor]:
    """``-ln P`` a token of the `texts` of given numbers (int64 [n]), a scalar in nats.

    Of a causal model every token counts, from the text's start on, as perplexity reads it. A masked model
    fills in masked tokens, and one with a decoder fills a gap; what is hidden in each text is drawn with
    `seed`. The mean is over all such tokens of the batch. Texts are encoded once.

    Raises:
        BadData: a text is empty, or does not fit into the model's window.
    """
    asked = asking(model)
    plain = asked.plain(texts, seed)

    def loss(chosen: Tensor) -> Tensor:
        rows = [plain[i] for i in chosen.tolist()]
        with SelectedHead(model.module) as head:
            logits = asked.run(head, rows)
        targets = torch.tensor([token for row in rows for _, token in row.wanted])  # [R]
        return torch.nn.functional.cross_entropy(logits, targets.to(logits.device))  # of [R, V]

    return loss
