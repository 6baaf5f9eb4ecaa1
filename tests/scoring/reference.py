"""The slow, obvious way to score: one request at a time, all logits, no padding, no head selection."""

from __future__ import annotations

from typing import Any

import torch

from evenhand.records import Continuation


@torch.no_grad()
def naive(module: Any, tokenizer: Any, item: Continuation) -> tuple[float, int]:
    """Sum of the text's token log-probabilities by the chain rule, and their number."""
    ids = tokenizer(item.context + item.text)["input_ids"]
    start = len(tokenizer(item.context)["input_ids"])
    if start == 0:
        mark = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        ids, start = [mark, *ids], 1
    logps = module(input_ids=torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return sum(float(logps[i - 1, ids[i]]) for i in range(start, len(ids))), len(ids) - start
