"""From text to token ids, with every rule about the boundary between context and text in one place.

Whole strings are tokenised (context + text), never the text alone: the first token of " he" alone may be a
beginning-of-sequence token or a piece that never follows a context. The ids of the context must be a prefix
of the ids of the whole, so that the text has tokens of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evenhand.architectures import window
from evenhand.errors import BadData, BadModel
from evenhand.progress import task
from evenhand.records import Continuation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SHOWN = 60

_TEXTS = 4096  # tokenised in one call, between two reports of progress


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of context + text; the tokens from `start` (at least 1) on are the ones that are scored."""

    ids: tuple[int, ...]
    start: int


def shown(text: str) -> str:
    """`text` quoted for a message, shortened in the middle."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} ... {text[-_SHOWN // 2 :]}")


def embedding_rows(module: Any) -> int | None:
    """The number of token ids that the model has weights for: the rows of its embeddings or of its head,
    the smaller number; None if the model gives access to neither matrix.
    """
    found = []
    for getter in ("get_input_embeddings", "get_output_embeddings"):
        part = getattr(module, getter)() if hasattr(module, getter) else None
        shape: Any = getattr(getattr(part, "weight", None), "shape", ())
        found += [int(shape[0])] if len(shape) == 2 else []
    return min(found, default=None)


def check_texts(texts: Iterable[str]) -> None:
    """Check that every text is valid Unicode.

    Raises:
        BadData: one has half of a surrogate pair, which no tokenizer can read.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadData(
                f"The text {shown(text)} is not valid Unicode: it has half of a surrogate pair at character "
                f"{error.start}.",
                mend="Write the whole character, or leave it out.",
            ) from None


def check_ids(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], rows: int | None, text: str) -> None:
    """Check that the model has weights for every one of `ids`, the ids of `text`; see `embedding_rows`.

    Only ids that are used are checked: a tokenizer may have more tokens than the model has rows.

    Raises:
        BadModel: it has no weights for one of them.
    """
    if rows is None or max(ids, default=0) < rows:
        return
    beyond = max(ids)
    raise BadModel(
        f"The tokenizer has {len(tokenizer)} tokens, the model's embeddings {rows} rows: the token "
        f"{tokenizer.convert_ids_to_tokens(beyond)!r} with the id {beyond} in {shown(text)} has no weights.",
        mend="Use the tokenizer that was saved with the weights, or weights that were resized and trained "
        "for it.",
    )


class Encoder:
    """Tokenises requests for one model. `prefix` holds the ids that the tokenizer puts before every text;
    `marked` is True if a text without a context follows a begin-of-text token.

    `window` is the largest number of input tokens of the model, `rows` the number of ids that it has weights
    for; None for no limit. `Encoder.of` takes both from the model.

    Raises:
        BadModel: the tokenizer gives no ids for plain text.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, window: int | None = None, rows: int | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._window = window
        self._rows = rows
        self.prefix = _prefix(tokenizer)
        marks = (tokenizer.bos_token_id, tokenizer.eos_token_id)
        self._condition = next(((int(mark),) for mark in marks if mark is not None), ())
        self.marked = bool(self.prefix or self._condition)

    @classmethod
    def of(cls, module: Any, tokenizer: PreTrainedTokenizerBase) -> Encoder:
        """An encoder that knows the limits of the model `module`."""
        return cls(tokenizer, window(getattr(module, "config", None)), embedding_rows(module))

    def prompts(self, texts: Sequence[str], *, room: int = 0) -> list[tuple[int, ...]]:
        """Ids of whole texts to run, in order, including the tokenizer's begin-of-text token.

        An empty text is the begin-of-text token alone. `room` further tokens must fit into the window.

        Raises:
            BadData: a text is empty without a begin-of-text token, or does not fit into the window.
            BadModel: the model has no weights for one of the tokens.
        """
        ids = self._texts(texts)
        found = [ids[text] or self._condition for text in texts]
        for text, row in zip(texts, found, strict=True):
            if not row:
                raise BadData(
                    "A text is empty, and the tokenizer has no begin-of-text token.", mend="Give a text."
                )
            if self._window is not None and len(row) + room > self._window:
                more = f" with {room} tokens more" if room else ""
                raise BadData(
                    f"The text {shown(text)} of {len(row)} tokens{more} does not fit into the model's window "
                    f"of {self._window}.",
                    mend="Shorten it" + (", or ask for fewer tokens." if room else "."),
                )
            check_ids(self._tokenizer, row, self._rows, text)
        return found

    def _texts(self, texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
        distinct = list(dict.fromkeys(texts))
        return {text: (*self.prefix, *ids) for text, ids in _plain(self._tokenizer, distinct).items()}

    def encode(self, items: Sequence[Continuation]) -> list[Encoded]:
        """Ids and the first scored token of each request, in order.

        With an empty context the text is scored from its first token after the begin-of-text token (BOS, else
        EOS); with a tokenizer that has neither, the first token is the condition and is not scored.

        Raises:
            BadData: empty text, context with a trailing space, text glued to its context, too long a request.
            BadModel: the tokenizer merges the boundary or does not know a piece of the text, or the model has
                no weights for one of its tokens.
        """
        for item in items:
            check_request(item)
        ids = self._texts(text for item in items for text in (item.context, item.context + item.text))
        found: dict[Continuation, Encoded] = {}
        for item in items:
            if item not in found:
                found[item] = self._encode(item, ids[item.context], ids[item.context + item.text])
        return [found[item] for item in items]

    def _encode(self, item: Continuation, context: tuple[int, ...], whole: tuple[int, ...]) -> Encoded:
        if whole[: len(context)] != context or len(whole) == len(context):
            raise _boundary(item, self._tokenizer, whole[len(self.prefix) :])
        if not context:
            context, whole = self._condition, (*self._condition, *whole)
        encoded = Encoded(whole, max(1, len(context)))
        self._check_ids(item, encoded)
        return encoded

    def _check_ids(self, item: Continuation, encoded: Encoded) -> None:
        check_ids(self._tokenizer, encoded.ids, self._rows, item.context + item.text)
        unknown = self._tokenizer.unk_token_id
        scored = encoded.ids[encoded.start :]
        if not scored:
            raise BadData(
                f"{shown(item.text)} is one token, and the tokenizer has no BOS to score it after.",
                mend="Give a context, or a longer text.",
            )
        if unknown is not None and unknown in scored and str(self._tokenizer.unk_token) not in item.text:
            raise BadModel(
                f"The tokenizer does not know a piece of {shown(item.text)}: it becomes the unknown token, "
                "whose probability says nothing about the text.",
                mend="Use terms that the tokenizer can write, or another model.",
            )
        if self._window is not None and len(encoded.ids) - 1 > self._window:
            raise BadData(
                f"A request of {len(encoded.ids) - 1} tokens does not fit into the model's window of "
                f"{self._window}: it begins with {shown(item.context or item.text)}.",
                mend="Shorten the context or the text; nothing is cut off silently.",
            )


def check_request(item: Continuation) -> None:
    """Refuse a request that no model can answer.

    Raises:
        BadData: the text is empty, or the context ends with a space.
    """
    if not item.text:
        raise BadData(
            f"The text after {shown(item.context)} is empty.",
            mend="Give the text whose probability you want, with its leading space.",
        )
    if item.context.endswith((" ", "\t")):
        raise BadData(
            f"The prompt {shown(item.context)} ends with a space.",
            mend="Put the space before the text instead: tokenizers glue it to the word that follows.",
        )


def _boundary(
    item: Continuation, tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]
) -> BadData | BadModel:
    pieces = tokenizer.convert_ids_to_tokens(list(ids[-8:]))
    what = (
        f"The tokenizer merges the end of the prompt {shown(item.context)} with the text {shown(item.text)} "
        f"(the last pieces of the whole are {pieces}), so the text has no probability of its own."
    )
    if item.text[0].isspace():
        return BadModel(what, mend="Use a prompt that ends with a whole word, or another model.")
    return BadData(what, mend="Start the text with a space, as a new word.")


def _plain(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> dict[str, list[int]]:
    if not texts:
        return {}
    check_texts(texts)
    found: dict[str, list[int]] = {}
    with task("tokenising", len(texts), unit="text", late=True) as advance:
        for start in range(0, len(texts), _TEXTS):
            part = list(texts[start : start + _TEXTS])
            encoded: Mapping[str, Any] = tokenizer(
                part, add_special_tokens=False, return_attention_mask=False, verbose=False
            )
            found.update(zip(part, encoded["input_ids"], strict=True))
            advance(len(part))
    return found


def _prefix(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    probe = "a"
    bare = _plain(tokenizer, [probe])[probe]
    full: list[int] = tokenizer(probe, add_special_tokens=True)["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if bare and full[start : start + len(bare)] == bare:
            return tuple(full[:start])
    raise BadModel(
        "The tokenizer gives no ids for plain text.", mend="Check the tokenizer files beside the model."
    )


def end_ids(module: Any, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The ids that end what a model writes, in order; empty where nothing does.

    Those that its generation settings list; if they name one or none, that and the tokenizer's end of text.
    """
    stated = getattr(getattr(module, "generation_config", None), "eos_token_id", None)
    ids = stated if isinstance(stated, list) else [stated, tokenizer.eos_token_id]
    return sorted({int(i) for i in ids if i is not None})
