"""The two forms in which a continuation is put to a model with an encoder and a decoder, and its scorer."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from evenhand.architectures import window
from evenhand.errors import BadData, BadModel
from evenhand.records import Continuation, LogProb
from evenhand.scoring.conditional import Conditional, Counts, conditional, decoder_start
from evenhand.scoring.tokens import (
    Encoded,
    Encoder,
    check_ids,
    check_request,
    check_texts,
    embedding_rows,
    shown,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Form = Literal["auto", "infill", "source"]
_SENTINELS = ("<extra_id_0>", "<extra_id_1>")
_ENDS = (".", "?", "!", ":", "…", "\n")


class ConditionalScorer:
    """Scores texts given a source with one model and its tokenizer; `evenhand.models.seq2seq` has the forms.

    `used` counts the forms of the newest call, `counts` what it ran.

    Raises:
        BadModel: the tokenizer gives no ids, or the configuration names no first token of the decoder.
    """

    def __init__(
        self,
        module: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        *,
        batch_tokens: int = 2048,
        form: Form = "auto",
    ) -> None:
        self.form = form
        self.used: Counter[str] = Counter()
        self.counts = Counts()
        self._module = module
        self._tokenizer = tokenizer
        self._batch_tokens = batch_tokens
        self._window = window(getattr(module, "config", None))
        self._rows = embedding_rows(module)
        self._encoder = Encoder(tokenizer)
        self._start = decoder_start(module)
        self._vocabulary = tokenizer.get_vocab()
        self._sentinels = all(mark in self._vocabulary for mark in _SENTINELS)

    def logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        """log P(text | context) in nats for each request, in order.

        Raises:
            BadData: an empty text, a context that ends with a space, or too long a request.
            BadModel: the tokenizer merges the boundary or does not know a piece of the text, or the model
                has no weights for a token or answers with NaN.
            OutOfMemory: one row alone does not fit.
        """
        self.used = Counter(self.form_of(item) for item in items)
        requests = self.requests(items)
        values, self.counts = conditional(self._module, requests, batch_tokens=self._batch_tokens)
        lengths = (len(r.target.ids) - r.target.start for r in requests)
        return [LogProb(value, n) for value, n in zip(values, lengths, strict=True)]

    def account(self) -> Counter[str]:
        """The forms of the newest call, as `take_over` takes them."""
        return self.used

    def take_over(self, accounts: Sequence[Counter[str]]) -> None:
        """Count the forms of calls that were shares of one."""
        self.used = sum(accounts, Counter())

    def requests(self, items: Sequence[Continuation]) -> list[Conditional]:
        """Each request in the model's tokens, in the form of `form_of`, in order.

        Raises:
            BadData, BadModel: as for `logprobs`.
        """
        return [self._request(item) for item in items]

    @property
    def gaps(self) -> bool:
        """Whether the model fills gaps: it has sentinels, or a mask."""
        return self._sentinels or self._tokenizer.mask_token is not None

    def gap(self, text: str, chance: random.Random) -> Conditional:
        """A text with a gap of one to three words, drawn with `chance`, that the decoder is to fill.

        With a mask token (BART) the decoder writes the whole text.

        Raises:
            BadData: the text is empty, or does not fit into the model's window.
            BadModel: the model fills no gaps.
        """
        words = text.split()
        if not words:
            raise BadData("A text to learn from is empty.", mend="Give texts with a word in them.")
        start = chance.randrange(len(words))
        end = min(len(words), start + chance.choice((1, 1, 2, 3)))
        before, inner, after = (" ".join(part) for part in (words[:start], words[start:end], words[end:]))
        if self._sentinels:
            source = f"{before}{_SENTINELS[0]}{f' {after}' if after else ''}".strip()
            target = self._span(Continuation(before, f" {inner}"))
        elif self._tokenizer.mask_token is not None:
            source = f"{before}{self._tokenizer.mask_token}{f' {after}' if after else ''}".strip()
            (whole,) = self._encoder.encode([Continuation("", text)])
            target = Encoded((self._start, *whole.ids), 1 + whole.start)
        else:
            raise BadModel(
                "The model has neither sentinels nor a mask, so it fills no gaps.", mend="Use another model."
            )
        request = Conditional(tuple(self._tokenizer(source)["input_ids"]), target)
        self._check(Continuation(before, f" {inner}"), request)
        return request

    def form_of(self, item: Continuation) -> Literal["infill", "source"]:
        """The form in which `item` is put to the model."""
        if not self.gaps:
            return "source"
        if self.form == "auto":
            return "source" if item.context.endswith(_ENDS) else "infill"
        return self.form

    def _request(self, item: Continuation) -> Conditional:
        check_request(item)
        check_texts((item.context, item.text))
        if self.form_of(item) == "source":
            source, target = item.context, self._target(item)
        elif self._sentinels:
            source, target = item.context + _SENTINELS[0], self._span(item)
        else:
            source, target = f"{item.context}{self._tokenizer.mask_token}", self._repeated(item)
        request = Conditional(tuple(self._tokenizer(source)["input_ids"]), target)
        self._check(item, request)
        return request

    def _target(self, item: Continuation) -> Encoded:
        """The text as a whole target."""
        ids = self._plain(item.text.lstrip())
        return Encoded((self._start, *self._encoder.prefix, *ids), 1 + len(self._encoder.prefix))

    def _span(self, item: Continuation) -> Encoded:
        """The text as the span that the first sentinel announces."""
        first, second = (self._vocabulary[mark] for mark in _SENTINELS)
        ids = self._plain(f"{_SENTINELS[0]}{item.text}{_SENTINELS[1]}")
        span = ids[ids.index(first) + 1 : ids.index(second)]
        return Encoded((self._start, first, *span), 2)

    def _repeated(self, item: Continuation) -> Encoded:
        """The text after its context, which the decoder repeats."""
        (whole,) = self._encoder.encode([item])
        return Encoded((self._start, *whole.ids), 1 + whole.start)

    def _plain(self, text: str) -> list[int]:
        encoded: Any = self._tokenizer(text, add_special_tokens=False)
        ids: list[int] = encoded["input_ids"]
        return ids

    def _check(self, item: Continuation, request: Conditional) -> None:
        used = (*request.source, *request.target.ids)
        check_ids(self._tokenizer, used, self._rows, item.context + item.text)
        scored = request.target.ids[request.target.start :]
        unknown = self._tokenizer.unk_token_id
        if not scored or not request.source:
            raise BadData(
                f"{shown(item.text)} after {shown(item.context)} leaves no token to read or to score.",
                mend="Give a context and a text with a word in it.",
            )
        if unknown is not None and unknown in scored and str(self._tokenizer.unk_token) not in item.text:
            raise BadModel(
                f"The tokenizer does not know a piece of {shown(item.text)}: it becomes the unknown token, "
                "whose probability says nothing about the text.",
                mend="Use terms that the tokenizer can write, or another model.",
            )
        longest = max(len(request.source), len(request.target.ids) - 1)
        if self._window is not None and longest > self._window:
            raise BadData(
                f"A request of {longest} tokens does not fit into the model's window of {self._window}: it "
                f"begins with {shown(item.context or item.text)}.",
                mend="Shorten the context or the text; nothing is cut off silently.",
            )
