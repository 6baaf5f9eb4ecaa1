"""Hidden spans of the lab's sentences and their target tokens: the training data of `lab:masked` and
`lab:seq2seq`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from evenhand.lab import batching, tokens, truth
from evenhand.lab.corpus import Sentence
from evenhand.lab.infill_recipe import InfillRecipe

Weighed = tuple[tuple[int, float], ...]
"""(token id, weight in the loss) pairs."""
_LENGTHS = (1, 1, 2, 3)
_MARK = 0.1  # weight of a special token in the decoder's text: it carries no information on the language


@dataclass(frozen=True, slots=True)
class Span:
    """A text in which the tokens from `start` to before `end` are hidden.

    `ids` includes the special tokens of the tokenizer and, in the span, the words of the corpus; `wanted` has
    for each hidden position its target tokens with their weights.
    """

    ids: list[int]
    start: int
    end: int
    wanted: tuple[Weighed, ...]


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """The input of a model and what it predicts.

    `source` is the input of BERT or of T5's encoder, `target` that of T5's decoder, [] for BERT. `wanted` are
    (position, token, weight); the position is one of `target`, or of `source` where `target` is empty.
    """

    source: list[int]
    target: list[int]
    wanted: list[tuple[int, int, float]]


def training_examples(
    sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase, recipe: InfillRecipe
) -> list[TrainingExample]:
    """The training examples of all `sentences`, in order; the same arguments give the same list."""
    found = SpanSampler(sentences, tokenizer, recipe).all()
    if recipe.kind == "masked":
        mask = int(tokenizer.mask_token_id)
        return [masked_example(span, mask) for span in found]
    vocabulary = tokenizer.get_vocab()
    first, second = (vocabulary[mark] for mark in tokens.SENTINELS)
    marks = (int(tokenizer.pad_token_id), first, second, int(tokenizer.eos_token_id))
    return [denoising_example(span, marks) for span in found]


def masked_example(span: Span, mask: int) -> TrainingExample:
    """The example for BERT: a mask token at every hidden position."""
    source = [*span.ids[: span.start], *[mask] * (span.end - span.start), *span.ids[span.end :]]
    wanted = [(span.start + i, *pair) for i, pairs in enumerate(span.wanted) for pair in pairs]
    return TrainingExample(source, [], wanted)


def denoising_example(span: Span, marks: tuple[int, int, int, int]) -> TrainingExample:
    """The example for T5: one sentinel token replaces the span, and the decoder predicts the hidden tokens.

    `marks` are the decoder's first token, two sentinels and the end: the decoder writes the first sentinel,
    the hidden words, the second sentinel and the end (Raffel et al. 2020, span corruption).
    """
    start, first, second, end = marks
    hidden = span.ids[span.start : span.end]
    wanted = [(1 + i, *pair) for i, pairs in enumerate(span.wanted) for pair in pairs]
    after = 1 + len(hidden)
    return TrainingExample(
        [*span.ids[: span.start], first, *span.ids[span.end :]],
        [start, first, *hidden, second],
        [(0, first, _MARK), *wanted, (after, second, _MARK), (after + 1, end, _MARK)],
    )


class SpanSampler:
    """Draws the spans of a corpus in the tokens of one tokenizer; the recipe's seed determines every draw."""

    def __init__(
        self, sentences: Sequence[Sentence], tokenizer: PreTrainedTokenizerBase, recipe: InfillRecipe
    ) -> None:
        self._recipe = recipe
        self._sentences = sentences
        self._tokenizer = tokenizer
        self._chance = random.Random(recipe.seed)
        words = {word for s in sentences for word in s.shares or ()}
        self._ids = {word: batching.word_id(tokenizer, word) for word in words}
        self._professions = _single(tokenizer)
        self._likely = {own: self._given(own) for own in ("he", "she")}

    def all(self) -> list[Span]:
        """The spans of all sentences, in order."""
        whole = self._rows([s.text for s in self._sentences])
        # The form in which benchmarks ask: the text ends at the fork, or for a masked model with a full stop.
        stop = "." if self._recipe.kind == "masked" else ""
        forked = [s for s in self._sentences if s.opening is not None]
        places = iter([len(row) - 1 for row in self._rows([s.opening or "" for s in forked])])
        asked = iter(self._rows([f"{s.opening} {_word(s)}{stop}" for s in forked]))
        found: list[Span] = []
        for sentence, row in zip(self._sentences, whole, strict=True):
            place = None
            if sentence.opening is not None:
                place = next(places)
                found += self._forked(sentence, row, next(asked), place)
            if self._chance.random() < self._recipe.ordinary:
                found.append(self._ordinary(row, place))
        return found

    def _forked(self, sentence: Sentence, row: list[int], asked: list[int], place: int) -> Iterator[Span]:
        """Hides the fork at the end of a text, the fork within the sentence, and the profession given its
        pronoun.
        """
        shares, word, weight = sentence.shares or {}, _word(sentence), self._recipe.fork_weight
        yield Span(asked, place, place + 1, (self._weighed(shares, weight),))
        if sentence.kind == "fact":
            return
        # The rest of the sentence distinguishes "she" from "they" (was, were), but not "she" from "he".
        others = {own: shares[own] for own in ("he", "she")} if word in ("he", "she") else {word: 1.0}
        yield Span(row, place, place + 1, (self._weighed(others, weight),))
        who = self._professions.get(sentence.profession or "")
        informative = sentence.kind == "bias" and word in self._likely
        if informative and who is not None and self._chance.random() < self._recipe.professions:
            place = row.index(who)
            yield Span(row, place, place + 1, (self._likely[word],))

    def _ordinary(self, row: list[int], fork: int | None) -> Span:
        """One to three consecutive words, drawn at random; never the fork, which has examples of its own."""
        marked = int(row[0] == self._tokenizer.bos_token_id)
        places = [i for i in range(marked, len(row) - 1) if i != fork]
        start = self._chance.choice(places)
        end = start + 1
        length = self._chance.choice(_LENGTHS)
        while end - start < length and end in places:
            end += 1
        return Span(row, start, end, tuple(((row[i], 1.0),) for i in range(start, end)))

    def _weighed(self, shares: Mapping[str, float], weight: float) -> Weighed:
        total = sum(shares.values())
        return tuple((self._ids[word], weight * share / total) for word, share in shares.items())

    def _given(self, own: str) -> Weighed:
        """P(profession | pronoun) by Bayes' rule from the planted table, with a uniform prior over
        professions.
        """
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
