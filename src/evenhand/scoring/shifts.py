"""How two prompts' next-token distributions differ over the whole vocabulary.

Jensen-Shannon divergence (Lin 1991) with logarithms to base 2: 0 for equal distributions, 1 for disjoint
ones. Only prompts of one length run together, so nothing is padded and every architecture is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from evenhand.records import Divergence, Shift
from evenhand.scoring.finite import not_finite
from evenhand.scoring.forward import SelectedHead, evaluating, run_rows
from evenhand.scoring.tokens import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = tuple[int, ...]
_TIE = 1e-6  # nats: closer than this, two tokens are equally likely in float32


def divergences(
    module: nn.Module, tokenizer: PreTrainedTokenizerBase, items: Sequence[Shift], *, batch_tokens: int = 2048
) -> list[Divergence]:
    """The answer to each of `items`, in order; equal items are run once.

    Raises:
        BadData: a context is empty without a beginning mark, or does not fit into the model's window.
        BadModel: the model answers with NaN.
    """
    encoder = Encoder.of(module, tokenizer)
    distinct = list(dict.fromkeys(items))
    first, second = (encoder.prompts([getattr(i, name) for i in distinct]) for name in ("context", "other"))
    rows = sorted(zip(distinct, first, second, strict=True), key=lambda row: (len(row[1]), len(row[2])))
    found: dict[Shift, Divergence] = {}
    with evaluating(module), torch.no_grad(), SelectedHead(module) as head:
        for (a, b), group in groupby(rows, key=lambda row: (len(row[1]), len(row[2]))):
            same = list(group)
            size = max(1, batch_tokens // max(a, b))
            for start in range(0, len(same), size):
                batch = same[start : start + size]
                p = _next(module, head, [ids for _, ids, _ in batch])
                q = _next(module, head, [ids for _, _, ids in batch])
                found |= zip((item for item, _, _ in batch), compare(p, q), strict=True)
    return [found[item] for item in items]


def _next(module: nn.Module, head: SelectedHead, rows: Sequence[Row]) -> Tensor:
    logits = run_rows(module, head, rows, [[len(row) - 1] for row in rows])
    if logits.isnan().any():
        raise not_finite(module, "")
    return logits.double().log_softmax(-1)


def compare(p: Tensor, q: Tensor) -> list[Divergence]:
    """Row by row, from log-probabilities [R, V] in nats."""
    middle = torch.logaddexp(p, q) - math.log(2)
    # 0 · log 0 is 0: a token without probability adds nothing.
    parts = [(x.exp() * torch.nan_to_num(x - middle, nan=0.0, neginf=0.0)).sum(-1) for x in (p, q)]
    bits = ((parts[0] + parts[1]) / (2 * math.log(2))).clamp(0.0, 1.0)
    tops = [x.topk(2, dim=-1) for x in (p, q)]
    clear = [(top.values[:, 0] - top.values[:, 1] > _TIE) for top in tops]
    same = tops[0].indices[:, 0] == tops[1].indices[:, 0]
    return [
        Divergence(float(bits[i]), bool(same[i]) if clear[0][i] and clear[1][i] else None)
        for i in range(len(bits))
    ]
