"""The slow, obvious way to score masked models: one masked copy a forward pass, all logits, no padding."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
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


def spans(first: Sequence[int], second: Sequence[int]) -> dict[str, tuple[list[int], list[int]]]:
    """The positions on both sides that are equal, and those that are not, as the published code aligns ids.

    One alignment for both sides, the first sentence before the second (`get_span` of Nangia et al.; that of
    bias-bench also gives the rest).
    """
    matcher = difflib.SequenceMatcher(None, [str(x) for x in first], [str(x) for x in second])
    found: dict[str, tuple[list[int], list[int]]] = {"shared": ([], []), "changed": ([], [])}
    for op in matcher.get_opcodes():
        part = found["shared" if op[0] == "equal" else "changed"]
        part[0].extend(range(op[1], op[2]))
        part[1].extend(range(op[3], op[4]))
    return found


def in_order(row: Mapping[str, str]) -> tuple[str, str]:
    """The sentences of a row of the official file as the published code reads them: `sent1`, `sent2`."""
    if row["stereo_antistereo"] == "stereo":
        return row["sent_more"], row["sent_less"]
    return row["sent_less"], row["sent_more"]


def official(module: Any, tokenizer: Any, one: str, two: str, part: str) -> list[tuple[float, int]]:
    """Scores of `one`, the first of the pair, and of `two` as the published CrowS-Pairs code takes them.

    The end marks, first and last of the shared tokens, are left out. Each score has its number of tokens.
    """
    rows = [tokenizer(text)["input_ids"] for text in (one, two)]
    found = []
    for ids, places in zip(rows, spans(*rows)[part], strict=True):
        scored = places[1:-1] if part == "shared" else places
        total = 0.0
        for place in scored:
            masked = [*ids[:place], tokenizer.mask_token_id, *ids[place + 1 :]]
            total += one_copy(module, masked, place, ids[place])
        found.append((total, len(scored)))
    return found
