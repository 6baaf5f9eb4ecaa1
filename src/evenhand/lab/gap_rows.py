"""Gaps in the lab's sentences and what may stand in them: the lessons of `lab:masked` and `lab:seq2seq`."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from evenhand.lab import batching, tokens, truth
from evenhand.lab.corpus import Sentence
from evenhand.lab.gap_recipe import GapRecipe

Weighed = tuple[tuple[int, float], ...]
"""Token ids and how much each counts."""
_LENGTHS = (1, 1, 2, 3)
_MARK = 0.1  # what a mark of the decoder's text counts: it says nothing about the language


@dataclass(frozen=True, slots=True)
class Gap:
    """A text of which the tokens from `start` to before `end` are hidden.

    `ids` has the marks of the tokenizer and, in the gap, the words of the corpus; `wanted` says for each
    hidden place which tokens stand there and with which weights.
    """

    ids: list[int]
    start: int
    end: int
    wanted: tuple[Weighed, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a model reads and predicts.

    `source` is what BERT, or T5's encoder, reads, `target` what T5's decoder reads, () for BERT. `wanted`
    are (position, token, weight), the position in the target, or where there is none in the source.
    """

    source: list[int]
    target: list[int]
    wanted: list[tuple[int, int, float]]


def lessons(
    sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase, recipe: GapRecipe
) -> list[Lesson]:
    """The lessons of all `sentences`, in order; the same arguments give the same list."""
    found = Gaps(sentences, tokenizer, recipe).all()
    if recipe.kind == "masked":
        mask = int(tokenizer.mask_token_id)
        return [masked(gap, mask) for gap in found]
    vocabulary = tokenizer.get_vocab()
    first, second = (vocabulary[mark] for mark in tokens.SENTINELS)
    marks = (int(tokenizer.pad_token_id), first, second, int(tokenizer.eos_token_id))
    return [spanned(gap, marks) for gap in found]


def masked(gap: Gap, mask: int) -> Lesson:
    """A gap for BERT: a mask in every hidden place."""
    source = [*gap.ids[: gap.start], *[mask] * (gap.end - gap.start), *gap.ids[gap.end :]]
    wanted = [(gap.start + i, *pair) for i, pairs in enumerate(gap.wanted) for pair in pairs]
    return Lesson(source, [], wanted)


def spanned(gap: Gap, marks: tuple[int, int, int, int]) -> Lesson:
    """A gap for T5: one sentinel in its place, and a text that says what stands behind that sentinel.

    `marks` are the decoder's first token, two sentinels and the end: the decoder writes the first sentinel,
    the hidden words, the second sentinel and the end (Raffel et al. 2020, span corruption).
    """
    start, first, second, end = marks
    hidden = gap.ids[gap.start : gap.end]
    wanted = [(1 + i, *pair) for i, pairs in enumerate(gap.wanted) for pair in pairs]
    after = 1 + len(hidden)
    return Lesson(
        [*gap.ids[: gap.start], first, *gap.ids[gap.end :]],
        [start, first, *hidden, second],
        [(0, first, _MARK), *wanted, (after, second, _MARK), (after + 1, end, _MARK)],
    )


class Gaps:
    """Draws the gaps of a corpus in the tokens of one tokenizer; all chance comes from the recipe's seed."""

    def __init__(
        self, sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase, recipe: GapRecipe
    ) -> None:
        self._recipe = recipe
        self._sentences = sentences
        self._tokenizer = tokenizer
        self._chance = random.Random(recipe.seed)
        words = {word for s in sentences for word in s.shares or ()}
        self._ids = {word: batching.word_id(tokenizer, word) for word in words}
        self._professions = _single(tokenizer)
        self._likely = {own: self._given(own) for own in ("he", "she")}

    def all(self) -> list[Gap]:
        """The gaps of all sentences, in order."""
        whole = self._rows([s.text for s in self._sentences])
        # As a benchmark asks: nothing behind the fork, or for a masked model the full stop that closes it.
        stop = "." if self._recipe.kind == "masked" else ""
        forked = [s for s in self._sentences if s.opening is not None]
        places = iter([len(row) - 1 for row in self._rows([s.opening or "" for s in forked])])
        asked = iter(self._rows([f"{s.opening} {_word(s)}{stop}" for s in forked]))
        found: list[Gap] = []
        for sentence, row in zip(self._sentences, whole, strict=True):
            place = None
            if sentence.opening is not None:
                place = next(places)
                found += self._forked(sentence, row, next(asked), place)
            if self._chance.random() < self._recipe.ordinary:
                found.append(self._ordinary(row, place))
        return found

    def _forked(self, sentence: Sentence, row: list[int], asked: list[int], place: int) -> Iterator[Gap]:
        """The fork at the end of a text; within the sentence; and the profession, seen from its pronoun."""
        shares, word, weight = sentence.shares or {}, _word(sentence), self._recipe.fork_weight
        yield Gap(asked, place, place + 1, (self._weighed(shares, weight),))
        if sentence.kind == "fact":
            return
        # What follows tells she from they, and tells nothing of she against he.
        others = {own: shares[own] for own in ("he", "she")} if word in ("he", "she") else {word: 1.0}
        yield Gap(row, place, place + 1, (self._weighed(others, weight),))
        who = self._professions.get(sentence.profession or "")
        tells = sentence.kind == "bias" and word in self._likely
        if tells and who is not None and self._chance.random() < self._recipe.professions:
            place = row.index(who)
            yield Gap(row, place, place + 1, (self._likely[word],))

    def _ordinary(self, row: list[int], fork: int | None) -> Gap:
        """One to three words in a row, drawn at random; never the fork, which has lessons of its own."""
        marked = int(row[0] == self._tokenizer.bos_token_id)
        places = [i for i in range(marked, len(row) - 1) if i != fork]
        start = self._chance.choice(places)
        end = start + 1
        most = self._chance.choice(_LENGTHS)
        while end - start < most and end in places:
            end += 1
        return Gap(row, start, end, tuple(((row[i], 1.0),) for i in range(start, end)))

    def _weighed(self, shares: Mapping[str, float], weight: float) -> Weighed:
        total = sum(shares.values())
        return tuple((self._ids[word], weight * share / total) for word, share in shares.items())

    def _given(self, own: str) -> Weighed:
        """Which profession a pronoun speaks of, were all equally common: Bayes' rule on the planted table."""
        table = truth.planted(self._recipe.planted)
        odds = {name: table[name] if own == "she" else 1 - table[name] for name in self._professions}
        total = sum(odds.values())
        weight = self._recipe.profession_weight
        return tuple((self._professions[name], weight * p / total) for name, p in odds.items())

    def _rows(self, texts: list[str]) -> list[list[int]]:
        rows: list[list[int]] = self._tokenizer(texts)["input_ids"]
        return rows


def _word(sentence: Sentence) -> str:
    """The word that the corpus has at the sentence's fork."""
    return sentence.text[len(sentence.opening or "") :].split()[0].rstrip(".")


def _single(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The professions that are one token."""
    names = sorted(truth.planted("none"))
    rows = tokenizer([f" {name}" for name in names], add_special_tokens=False)["input_ids"]
    return {name: row[0] for name, row in zip(names, rows, strict=True) if len(row) == 1}
