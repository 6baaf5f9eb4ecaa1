"""Whether a text is the one that a model would write itself: every token the likeliest at its place.

Only rows of one length run together, so nothing is padded and every architecture is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from evenhand.errors import OutOfMemory
from evenhand.progress import task
from evenhand.records import Continuation, Recall, Recalled
from evenhand.scoring.finite import not_finite
from evenhand.scoring.forward import SelectedHead, evaluating, run_rows
from evenhand.scoring.memory import attempt
from evenhand.scoring.tokens import Encoded, Encoder, shown

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_HEAD_BYTES = 256 * 2**20
_Row = tuple[Recall, Encoded]


def recalls(
    module: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Recall],
    *,
    batch_tokens: int = 2048,
) -> list[Recalled]:
    """The answer to each of `items`, in order; equal items are run once.

    Raises:
        BadData, BadModel: an item cannot be tokenised soundly (see `Encoder.encode`), or the model answers
            with NaN or an infinity.
        OutOfMemory: one row alone does not fit.
    """
    encoder = Encoder.of(module, tokenizer)
    distinct = list(dict.fromkeys(items))
    encoded = encoder.encode([Continuation(item.context, item.text) for item in distinct])
    pending = sorted(
        zip(distinct, encoded, strict=True), key=lambda row: (-len(row[1].ids), row[1].ids, row[1].start)
    )
    found: dict[Recall, Recalled] = {}
    with (
        evaluating(module),
        torch.no_grad(),
        SelectedHead(module) as head,
        task("scoring", len(pending), unit="row") as advance,
    ):
        while pending:
            batch = _fitting(pending, batch_tokens, head.vocabulary)
            answers = _attempt(module, head, batch)
            if answers is None:
                batch_tokens = _halved(batch)
                continue
            found |= zip((item for item, _ in batch), answers, strict=True)
            pending = pending[len(batch) :]
            advance(len(batch))
    return [found[item] for item in items]


def _fitting(pending: Sequence[_Row], batch_tokens: int, vocabulary: int) -> list[_Row]:
    length = len(pending[0][1].ids)
    rows = max(1, batch_tokens // length)
    places = max(1, _HEAD_BYTES // (4 * vocabulary))
    batch: list[_Row] = []
    for row in pending[:rows]:
        places -= len(row[1].ids) - row[1].start
        if len(row[1].ids) != length or (batch and places < 0):
            break
        batch.append(row)
    return batch


def _halved(batch: Sequence[_Row]) -> int:
    item, encoded = batch[0]
    if len(batch) == 1:
        raise OutOfMemory(
            f"Scoring {shown(item.text)} after {shown(item.context)} does not fit into memory.",
            mend="Use a smaller model or dtype bfloat16, or shorten the prompt.",
        )
    return len(batch) * len(encoded.ids) // 2


def _attempt(module: nn.Module, head: SelectedHead, batch: Sequence[_Row]) -> list[Recalled] | None:
    """The answers of a batch of equal length, or None when memory ran out."""
    return attempt(lambda: _run(module, head, [encoded for _, encoded in batch]))


def _run(module: nn.Module, head: SelectedHead, batch: Sequence[Encoded]) -> list[Recalled]:
    places = [list(range(row.start - 1, len(row.ids) - 1)) for row in batch]
    logits = run_rows(module, head, [row.ids[:-1] for row in batch], places)
    targets = torch.tensor([token for row in batch for token in row.ids[row.start :]], device=logits.device)
    values = logits.gather(-1, targets[:, None])[:, 0] - logits.logsumexp(-1)
    if not values.isfinite().all():
        raise not_finite(module, "")
    same = logits.argmax(-1) == targets
    sizes = [len(row) for row in places]
    parts = zip(torch.split(values.double(), sizes), torch.split(same, sizes), strict=True)
    return [Recalled(float(value.sum()), len(value), bool(right.all())) for value, right in parts]
