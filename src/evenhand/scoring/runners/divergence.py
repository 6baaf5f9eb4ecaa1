"""How two prompts' next-token distributions differ over the whole vocabulary.

Jensen-Shannon divergence in bits. Only prompts of one length run together, so nothing is padded and every
architecture is correct.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from evenhand import jensen_shannon
from evenhand.progress import task
from evenhand.records import ContextPair, Divergence
from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.finite import check_finite
from evenhand.scoring.forward import SelectedHead, reading, run_rows
from evenhand.scoring.runners import Runner, Weights
from evenhand.scoring.tokens import Encoder

_Ids = tuple[int, ...]
_Row = tuple[ContextPair, _Ids, _Ids]  # the request, the ids of its two contexts
_TIE = 1e-6  # nats: closer than this, two tokens are equally likely in float32


def divergences(model: Weights, items: Sequence[ContextPair]) -> list[Divergence]:
    """The answer to each of `items`, in order; equal items are run once.

    Raises:
        BadData: a context is empty without a beginning mark, or does not fit into the model's window.
        BadModel: the model answers with NaN.
        OutOfMemory: one pair alone does not fit.
    """
    module = model.module
    encoder = Encoder.of(module, model.tokenizer)
    distinct = list(dict.fromkeys(items))
    first, second = (encoder.prompts([getattr(i, name) for i in distinct]) for name in ("context", "other"))
    rows = sorted(zip(distinct, first, second, strict=True), key=_lengths)
    found: dict[ContextPair, Divergence] = {}

    def work(batch: Sequence[_Row]) -> list[Divergence]:
        p = _next(module, head, [ids for _, ids, _ in batch])
        q = _next(module, head, [ids for _, _, ids in batch])
        return compare(p, q)

    with reading(module) as head, task("comparing", len(rows), unit="pair") as advance:
        for batch, answers in in_batches(rows, _load, Room(model.batch_tokens, head.room), work):
            found |= zip((item for item, _, _ in batch), answers, strict=True)
            advance(len(batch))
    return [found[item] for item in items]


def _lengths(row: _Row) -> tuple[int, int]:
    return len(row[1]), len(row[2])


def _load(row: _Row) -> Load:
    return Load(max(_lengths(row)), heads=1, like=_lengths(row))


def _next(module: nn.Module, head: SelectedHead, rows: Sequence[_Ids]) -> Tensor:
    """Log-probabilities of the next token in nats, [R, V], float64; a token may have none at all."""
    logits = run_rows(module, head, rows, [[len(row) - 1] for row in rows])
    check_finite(module, logits, infinite=True)
    return logits.double().log_softmax(-1)


def compare(p: Tensor, q: Tensor) -> list[Divergence]:
    """Row by row, from log-probabilities [R, V] in nats."""
    bits = (jensen_shannon.of_logs(p, q) / math.log(2)).clamp(0.0, 1.0)  # [R]
    tops = [x.topk(2, dim=-1) for x in (p, q)]  # values and indices, [R, 2]
    clear = [(top.values[:, 0] - top.values[:, 1] > _TIE) for top in tops]  # [R]
    same = tops[0].indices[:, 0] == tops[1].indices[:, 0]  # [R]
    return [
        Divergence(float(bits[i]), bool(same[i]) if clear[0][i] and clear[1][i] else None)
        for i in range(len(bits))
    ]


runner = Runner((ContextPair,), divergences)
