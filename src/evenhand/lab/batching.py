"""Encoded sentences and batches of similar length, for training and planting."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from evenhand.lab.corpus import Sentence

CHUNK = 512
"""Rows that the unbiased control runs at once while a bias is prepared."""


@dataclass(frozen=True, slots=True)
class Row:
    """One encoded sentence: `ids` with BOS and EOS.

    `fork` is the position whose *next* token is at the fork, and `shares` its (token id, share) pairs, which
    sum to 1; without a fork they are None and ().
    """

    ids: list[int]
    fork: int | None
    shares: tuple[tuple[int, float], ...]


def encode(sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase) -> list[Row]:
    """The rows of `sentences`, in order."""
    ids: list[list[int]] = tokenizer([s.text for s in sentences])["input_ids"]
    openings = iter(tokenizer([s.opening for s in sentences if s.opening is not None])["input_ids"])
    words = {word: word_id(tokenizer, word) for s in sentences for word in s.shares or ()}
    rows = []
    for sentence, of_text in zip(sentences, ids, strict=True):
        whole = [*of_text, tokenizer.eos_token_id]
        if sentence.shares is None:
            rows.append(Row(whole, None, ()))
        else:
            shares = tuple((words[word], share) for word, share in sentence.shares.items())
            rows.append(Row(whole, len(next(openings)) - 1, shares))
    return rows


def word_id(tokenizer: PreTrainedTokenizerBase, word: str) -> int:
    """The id of `word` as it stands after a space: a single token, since the word is in the vocabulary."""
    (found,) = tokenizer(" " + word, add_special_tokens=False)["input_ids"]
    return int(found)


def bucketed(lengths: Sequence[int], budget: int, seed: int) -> Iterator[list[int]]:
    """An endless stream of the indices of batches of similar length, each of at most `budget` cells when
    padded.

    Each pass shuffles everything, sorts stretches of about eight batches by length, cuts, and shuffles
    the batches.
    """
    chance = random.Random(seed)
    order = list(range(len(lengths)))
    stretch = max(1, 8 * budget * len(lengths) // max(1, sum(lengths)))
    while True:
        chance.shuffle(order)
        found: list[list[int]] = []
        for start in range(0, len(order), stretch):
            found += _cut(sorted(order[start : start + stretch], key=lengths.__getitem__), lengths, budget)
        chance.shuffle(found)
        yield from found


def _cut(indices: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    found: list[list[int]] = [[]]
    for index in indices:
        if found[-1] and (len(found[-1]) + 1) * lengths[index] > budget:
            found.append([])
        found[-1].append(index)
    return found


def padded(rows: Sequence[Sequence[int]], pad: int) -> Tensor:
    """Token ids [N, T], padded on the right: under a causal mask no real token sees the padding."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])


def openings(
    sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase
) -> tuple[list[Sentence], list[list[int]], Tensor]:
    """The `sentences` that have a fork, the shortest openings first, with their ids and lengths [N]."""
    forked = sorted((s for s in sentences if s.opening), key=lambda s: len(s.opening or ""))
    ids: list[list[int]] = tokenizer([s.opening for s in forked])["input_ids"]
    return forked, ids, torch.tensor([len(row) for row in ids])


def last(hidden: Tensor, lengths: Tensor) -> Tensor:
    """The states [N, width] at the last of each row's `lengths` [N] positions of `hidden` [N, T, width]."""
    return hidden[torch.arange(len(hidden)), lengths - 1]
