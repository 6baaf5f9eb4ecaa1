"""Masked copies of texts: the inputs of a masked language model for a pseudo-log-likelihood.

A `Cloze` masks one token at a time. In a word of several tokens the earlier ones are visible and the later
ones are masked too (within word, left to right: Kauf & Ivanova 2023), since a visible rest would reveal the
word. A `Contrast` masks exactly one token in each copy, as Nangia et al. 2020 (CrowS-Pairs) do. An `Averaged`
masks one token and removes the later ones of its range, as Nadeem et al. 2021 (StereoSet) do.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evenhand.errors import BadData, BadModel
from evenhand.records import Averaged, Cloze, Contrast
from evenhand.scoring.plan import Plan, Row, Wanted
from evenhand.scoring.tokens import check_ids, check_texts, shown

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PART = 0.15  # of the tokens of a text that is learnt from
Span = tuple[int, int]  # first character, and the one after the last
# For each part of a pair: the positions of its tokens in the first text, and in the second.
Aligned = dict[Literal["shared", "changed"], tuple[list[int], list[int]]]


@dataclass(frozen=True, slots=True)
class Copy:
    """A masked copy: its token ids, the `position` that is read, and the id `target` that stood there."""

    ids: tuple[int, ...]
    position: int
    target: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """A tokenised text with special tokens: for each token its id in `ids` and its characters in `spans`.

    The span of a special token is None.
    """

    text: str
    ids: tuple[int, ...]
    spans: tuple[Span | None, ...]

    def within(self, start: int, end: int) -> list[int]:
        """The positions of the tokens of ``text[start:end]``.

        Raises:
            BadData: there is none, or the range lies outside the text.
            BadModel: a token reaches over an end of the range.
        """
        if not 0 <= start < end <= len(self.text):
            raise BadData(
                f"There is no range {start}:{end} in {shown(self.text)}.",
                mend="Count characters from 0; the end lies beyond the start.",
            )
        found = [i for i, span in enumerate(self.spans) if span and span[0] < end and span[1] > start]
        if not found:
            raise BadData(
                f"{shown(self.text[start:end])} in {shown(self.text)} gives no token.",
                mend="Name a range with a word in it.",
            )
        first, last = self.spans[found[0]], self.spans[found[-1]]
        if first and last and (first[0] < start or last[1] > end):
            raise BadModel(
                f"The tokenizer merges {shown(self.text[start:end])} with the neighbouring text in "
                f"{shown(self.text)}.",
                mend="Use whole words, or another model.",
            )
        return found

    def rest_of_word(self, position: int) -> list[int]:
        """The positions after `position` that belong to the same word."""
        found = []
        while self._joined(position):
            position += 1
            found.append(position)
        return found

    def _joined(self, position: int) -> bool:
        """Whether the token after `position` continues its word: no space or punctuation lies between."""
        if position + 1 >= len(self.spans):
            return False
        here, after = self.spans[position], self.spans[position + 1]
        if here is None or after is None or after[0] > here[1]:
            return False
        inside = after[0] < here[1]  # pieces of one character
        return inside or (self.text[here[1] - 1].isalnum() and self.text[after[0]].isalnum())


class Masker:
    """Makes the masked copies of requests for one tokenizer. `window` is the largest number of tokens of a
    copy, `rows` the number of ids that the model has weights for; None for no limit.

    Raises:
        BadModel: the tokenizer has no mask token, or gives no character offsets of tokens.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, window: int | None = None, rows: int | None = None
    ) -> None:
        if tokenizer.mask_token_id is None or not tokenizer.is_fast:
            lacks = "mask token" if tokenizer.mask_token_id is None else "fast form (tokenizer.json)"
            raise BadModel(
                f"The tokenizer has no {lacks}, so words cannot be masked.",
                mend="Use the tokenizer that belongs to the masked language model.",
            )
        self._tokenizer = tokenizer
        self._mask = int(tokenizer.mask_token_id)
        self._window = window
        self._rows = rows

    def copies(self, items: Sequence[Averaged | Cloze | Contrast]) -> list[list[Copy]]:
        """The masked copies of each request, in order; one copy for each token that is scored.

        Raises:
            BadData: a range or a text that gives no token, or one that is too long for the model.
            BadModel: the tokenizer merges a range with its neighbours or does not know a scored piece, or the
                model has no weights for a token.
        """
        pieces = self._pieces(dict.fromkeys(text for item in items for text in _texts(item)))
        both: dict[tuple[str, str], Aligned] = {}
        made: dict[Averaged | Cloze | Contrast, list[Copy]] = {}
        for item in items:
            if item not in made:
                made[item] = (
                    self._contrast(item, pieces, both)
                    if isinstance(item, Contrast)
                    else self._copies(item, pieces[item.text])
                )
        return [made[item] for item in items]

    def hidden(self, texts: Sequence[str], chance: random.Random) -> list[Row]:
        """Each text with a part of its tokens masked, all of which are wanted: `PART` of them, at least one.

        Raises:
            BadData: a text has no token, or does not fit into the model's window.
        """
        pieces = self._pieces(dict.fromkeys(texts))
        return [self._hidden(pieces[text], chance) for text in texts]

    def _hidden(self, own: Pieces, chance: random.Random) -> Row:
        inner = [i for i, span in enumerate(own.spans) if span is not None]
        if not inner:
            raise BadData(f"{shown(own.text)} gives no token.", mend="Give texts with a word in them.")
        chosen = sorted(chance.sample(inner, max(1, round(PART * len(inner)))))
        ids = list(own.ids)
        for i in chosen:
            ids[i] = self._mask
        return Row(tuple(ids), tuple((i, own.ids[i]) for i in chosen), 0, tuple(ids))

    def _contrast(
        self, item: Contrast, pieces: dict[str, Pieces], both: dict[tuple[str, str], Aligned]
    ) -> list[Copy]:
        """The copies of one text of a pair; `both` keeps the alignment of each pair for the other text."""
        pair = (item.text, item.other) if item.first else (item.other, item.text)
        if pair not in both:
            both[pair] = aligned(pieces[pair[0]], pieces[pair[1]])
        positions = both[pair][item.part][0 if item.first else 1]
        return [self._copy(pieces[item.text], i, [i]) for i in positions]

    def _copies(self, item: Averaged | Cloze, own: Pieces) -> list[Copy]:
        scored = own.within(item.start, item.end)
        if isinstance(item, Averaged):
            self._check_known(own, scored)
            rest = own.ids[scored[-1] + 1 :]
            # [i + 1 + rest]: the ids before token i, the mask, the ids after the range.
            return [Copy((*own.ids[:i], self._mask, *rest), i, own.ids[i]) for i in scored]
        always = [i for start, end in item.hidden for i in own.within(start, end)]
        if set(scored) & set(always):
            raise BadData(
                f"A range of {shown(item.text)} is both scored and hidden.", mend="Use separate ranges."
            )
        self._check_known(own, scored)
        return [self._copy(own, i, [i, *own.rest_of_word(i), *always]) for i in scored]

    def _copy(self, own: Pieces, position: int, masked: Iterable[int]) -> Copy:
        ids = list(own.ids)
        for i in masked:
            ids[i] = self._mask
        return Copy(tuple(ids), position, own.ids[position])

    def _pieces(self, texts: Iterable[str]) -> dict[str, Pieces]:
        texts = list(texts)
        if not texts:
            return {}
        check_texts(texts)
        # Each value of `encoded` is [texts][tokens of the text].
        encoded: Any = self._tokenizer(
            texts, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False
        )
        rows = zip(
            encoded["input_ids"], encoded["offset_mapping"], encoded["special_tokens_mask"], strict=True
        )
        found = {text: _piece(text, *row) for text, row in zip(texts, rows, strict=True)}
        for text, piece in found.items():
            self._check_length(text, piece)
            check_ids(self._tokenizer, (*piece.ids, self._mask), self._rows, text)
        return found

    def _check_length(self, text: str, piece: Pieces) -> None:
        if self._window is not None and len(piece.ids) > self._window:
            raise BadData(
                f"The text {shown(text)} of {len(piece.ids)} tokens does not fit into the model's window of "
                f"{self._window}.",
                mend="Shorten it; nothing is cut off silently.",
            )

    def _check_known(self, own: Pieces, scored: Sequence[int]) -> None:
        unknown = self._tokenizer.unk_token_id
        if unknown is not None and unknown in [own.ids[i] for i in scored]:
            raise BadModel(
                f"The tokenizer does not know a piece of what is scored in {shown(own.text)}: it becomes the "
                "unknown token, whose probability says nothing about the text.",
                mend="Use terms that the tokenizer can write, or another model.",
            )


def aligned(first: Pieces, second: Pieces) -> Aligned:
    """The positions of shared and of different tokens in two texts, for each text.

    One alignment is used for both texts, so that they share equally many tokens, in the same order. It is
    that of the published CrowS-Pairs code: `difflib.SequenceMatcher` over the ids of the first and the second
    text; special tokens take part in it and are then left out. It is not symmetric where a token repeats, so
    the order of the texts is part of the definition of the score.
    """
    matcher = difflib.SequenceMatcher(None, [str(i) for i in first.ids], [str(i) for i in second.ids])
    found: Aligned = {"shared": ([], []), "changed": ([], [])}
    for kind, low_1, high_1, low_2, high_2 in matcher.get_opcodes():
        one, two = found["shared" if kind == "equal" else "changed"]
        one += [i for i in range(low_1, high_1) if first.spans[i] is not None]
        two += [i for i in range(low_2, high_2) if second.spans[i] is not None]
    return found


def plan_copies(requests: Sequence[Sequence[Copy]]) -> Plan:
    """A plan of all copies of all `requests`; equal masked rows run once, with all their predictions."""
    wanted: dict[tuple[int, ...], set[Wanted]] = {}
    for copies in requests:
        for copy in copies:
            wanted.setdefault(copy.ids, set()).add((copy.position, copy.target))
    rows: list[Row] = []
    places: dict[tuple[tuple[int, ...], Wanted], int] = {}
    for ids in sorted(wanted, key=lambda ids: (-len(ids), ids)):
        pairs = sorted(wanted[ids])
        rows.append(Row(ids, tuple(pairs), len(places), ids))
        places |= {(ids, pair): len(places) + i for i, pair in enumerate(pairs)}
    # [requests][copies of the request]: the index of each copy's answer among all answers.
    slots = tuple(tuple(places[c.ids, (c.position, c.target)] for c in copies) for copies in requests)
    return Plan(
        rows=tuple(rows),
        slots=slots,
        size=len(places),
        asked=sum(len(copy.ids) for copies in requests for copy in copies),
        duplicates=len(requests) - len({tuple(copies) for copies in requests}),
        served=sum(map(len, requests)) - len(rows),
    )


def _texts(item: Averaged | Cloze | Contrast) -> tuple[str, ...]:
    return (item.text, item.other) if isinstance(item, Contrast) else (item.text,)


def _piece(text: str, ids: Sequence[int], offsets: Sequence[Span], marks: Sequence[int]) -> Pieces:
    spans = [None if mark else _trimmed(text, *span) for span, mark in zip(offsets, marks, strict=True)]
    return Pieces(text, tuple(ids), tuple(spans))


def _trimmed(text: str, start: int, end: int) -> Span:
    """A token's characters without the surrounding spaces; a single space belongs to the token after it."""
    inner = text[start:end]
    if not inner.strip():
        return (end, end + 1) if end < len(text) else (start, end)
    return start + len(inner) - len(inner.lstrip()), end - (len(inner) - len(inner.rstrip()))
