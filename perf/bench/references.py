"""The usual ways to score texts, as papers and the LM evaluation harness do it."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch

from evenhand.records import Continuation
from evenhand.scoring.masks import Masker, plan_copies
from evenhand.scoring.tokens import embedding_rows

from .harness import Skip


@torch.no_grad()
def naive(model: Any, items: Sequence[Continuation]) -> list[float]:
    """One forward a prompt (not one a request: both words are read from the same logits), all positions."""
    found: dict[str, torch.Tensor] = {}
    for context in dict.fromkeys(i.context for i in items):
        ids = model.tokenizer(context, return_tensors="pt").input_ids.to(model.module.device)
        found[context] = model.module(ids).logits[0, -1].log_softmax(-1)
    return [float(found[i.context][target(model, i)]) for i in items]


@torch.no_grad()
def padded(model: Any, items: Sequence[Continuation], size: int) -> list[float]:
    """Padded batches in the given order, all positions; without position ids GPT-2 would be wrong."""
    contexts = list(dict.fromkeys(i.context for i in items))
    found: dict[str, torch.Tensor] = {}
    for start in range(0, len(contexts), size):
        batch = contexts[start : start + size]
        logits = model.module(**inputs(model, batch)).logits
        found.update(zip(batch, logits[:, -1].log_softmax(-1), strict=True))
    return [float(found[i.context][target(model, i)]) for i in items]


def inputs(model: Any, contexts: Sequence[str]) -> dict[str, torch.Tensor]:
    """The arguments of one forward over prompts, padded on the left: ids, mask, positions [B, T]."""
    model.tokenizer.padding_side = "left"
    made = model.tokenizer(list(contexts), return_tensors="pt", padding=True).to(model.module.device)
    positions = (made.attention_mask.cumsum(1) - 1).clamp_min(0)
    return {"input_ids": made.input_ids, "attention_mask": made.attention_mask, "position_ids": positions}


def target(model: Any, item: Continuation) -> int:
    """The one token of a text that follows a prompt."""
    (token,) = model.tokenizer(item.text).input_ids
    return int(token)


def harness(model: Any) -> Callable[[Sequence[Continuation], int], list[float]]:
    """The LM evaluation harness on the same weights, as a function of requests and a batch size.

    Raises:
        Skip: it is not installed.
    """
    if importlib.util.find_spec("lm_eval") is None:
        raise Skip("the LM evaluation harness (lm_eval) is not installed")
    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns of a model that it did not load itself
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    def scored(items: Sequence[Continuation], size: int) -> list[float]:
        peer = HFLM(pretrained=model.module, tokenizer=model.tokenizer, backend="causal", batch_size=size)
        asked = [
            Instance("loglikelihood", doc={}, arguments=(item.context, item.text), idx=i)
            for i, item in enumerate(items)
        ]
        return [float(found[0]) for found in peer.loglikelihood(asked, disable_tqdm=True)]

    return scored


def copies(model: Any, requests: Sequence[Any]) -> list[tuple[tuple[int, ...], int, int, int]]:
    """Every masked copy that the requests need: its ids, the position and the token read, its request."""
    limit = getattr(model.module.config, "max_position_embeddings", None)
    masker = Masker(model.tokenizer, limit, embedding_rows(model.module))
    plan = plan_copies(masker.copies(requests))
    owners = {slot: number for number, slots in enumerate(plan.slots) for slot in slots}
    return [
        (row.ids, position, token, owners[row.slot + i])
        for row in plan.rows
        for i, (position, token) in enumerate(row.wanted)
    ]


@torch.no_grad()
def one_mask_at_a_time(model: Any, requests: Sequence[Any]) -> list[float]:
    """The sum of each request's copies, every copy a forward of its own, as metric.py of the paper does."""
    sums = [0.0] * len(requests)
    for ids, position, token, owner in copies(model, requests):
        logits = model.module(torch.tensor([ids], device=model.module.device)).logits
        sums[owner] += float(logits[0, position].log_softmax(-1)[token])
    return sums
