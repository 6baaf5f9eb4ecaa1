"""The slow, obvious way to score masked models: one masked copy a forward pass, all logits, no padding."""

from __future__ import annotations

import difflib
from typing import Any

import torch


@torch.no_grad()
def one_copy(module: Any, ids: list[int], position: int, target: int) -> float:
    """log P of `target` at `position` of a row of ids with masks in it."""
    return float(module(input_ids=torch.tensor([ids])).logits[0, position].double().log_softmax(-1)[target])


def by_words(module: Any, tokenizer: Any, before: str, text: str, after: str) -> tuple[float, int]:
    """The pseudo-log-likelihood of `text` between two others, words being what `word_ids` says.

    Only for texts whose words are separated by spaces under the tokenizer as well as by letters.
    """
    encoded = tokenizer(before + text + after, return_offsets_mapping=True)
    ids, words, offsets = encoded["input_ids"], encoded.word_ids(), encoded["offset_mapping"]
    end = len(before + text)
    scored = [
        i
        for i, (low, high) in enumerate(offsets)
        if words[i] is not None and high > low and high <= end and high > len(before) + (text[0] == " ")
    ]
    total = 0.0
    for i in scored:
        masked = list(ids)
        for j in range(i, len(ids)):
            if words[j] == words[i] and offsets[j][1] <= end:
                masked[j] = tokenizer.mask_token_id
        total += one_copy(module, masked, i, ids[i])
    return total, len(scored)


def official(module: Any, tokenizer: Any, one: str, two: str, part: str) -> tuple[float, int]:
    """Score of `one` against `two` as the published CrowS-Pairs code takes it, without the end marks."""
    a, b = tokenizer(one)["input_ids"], tokenizer(two)["input_ids"]
    places: list[int] = []
    for kind, low, high, _, _ in difflib.SequenceMatcher(
        None, list(map(str, a)), list(map(str, b))
    ).get_opcodes():
        if (kind == "equal") == (part == "shared"):
            places += range(low, high)
    if part == "shared":
        places = places[1:-1]
    total = 0.0
    for place in places:
        masked = [*a[:place], tokenizer.mask_token_id, *a[place + 1 :]]
        total += one_copy(module, masked, place, a[place])
    return total, len(places)
