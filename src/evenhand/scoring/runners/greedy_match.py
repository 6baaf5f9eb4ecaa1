"""Whether a text equals the model's greedy continuation: every token is the likeliest at its position.

Only rows of one length run together, so nothing is padded and every architecture gives correct results.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from evenhand.progress import task
from evenhand.records import Continuation, GreedyMatch, MatchedLogProb
from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.finite import check_finite
from evenhand.scoring.forward import SelectedHead, reading, run_rows
from evenhand.scoring.runners import Runner, Weights
from evenhand.scoring.tokens import Encoded, Encoder

_Row = tuple[GreedyMatch, Encoded]


def greedy_matches(model: Weights, items: Sequence[GreedyMatch]) -> list[MatchedLogProb]:
    """The answer to each of `items`, in order; equal items are run once.

    Raises:
        BadData, BadModel: an item cannot be tokenised correctly (see `Encoder.encode`), or the model answers
            with NaN or an infinity.
        OutOfMemory: one row alone does not fit.
    """
    module = model.module
    distinct = list(dict.fromkeys(items))
    encoded = Encoder.of(module, model.tokenizer).encode(
        [Continuation(item.context, item.text) for item in distinct]
    )
    rows = sorted(zip(distinct, encoded, strict=True), key=lambda row: (row[1].ids, row[1].start))
    found: dict[GreedyMatch, MatchedLogProb] = {}
    with reading(module) as head, task("scoring", len(rows), unit="row") as advance:
        room = Room(model.batch_tokens, head.room)
        for batch, answers in in_batches(rows, _load, room, lambda batch: _run(module, head, batch)):
            found |= zip((item for item, _ in batch), answers, strict=True)
            advance(len(batch))
    return [found[item] for item in items]


def _load(row: _Row) -> Load:
    length = len(row[1].ids)
    return Load(length, heads=length - row[1].start, like=length)


def _run(module: nn.Module, head: SelectedHead, batch: Sequence[_Row]) -> list[MatchedLogProb]:
    rows = [encoded for _, encoded in batch]
    places = [list(range(row.start - 1, len(row.ids) - 1)) for row in rows]
    logits = run_rows(module, head, [row.ids[:-1] for row in rows], places)  # [T, vocabulary]
    targets = torch.tensor([token for row in rows for token in row.ids[row.start :]], device=logits.device)
    values = logits.gather(-1, targets[:, None])[:, 0] - logits.logsumexp(-1)  # [T], nats
    check_finite(module, values)
    same = logits.argmax(-1) == targets  # [T]
    sizes = [len(row) for row in places]  # of each row, T in all
    parts = zip(torch.split(values.double(), sizes), torch.split(same, sizes), strict=True)
    return [MatchedLogProb(float(value.sum()), len(value), bool(right.all())) for value, right in parts]


runner = Runner((GreedyMatch,), greedy_matches)
