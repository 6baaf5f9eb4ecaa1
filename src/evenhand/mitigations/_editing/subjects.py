"""Requests to edit: prompts, where the subject of each stands in tokens, and the texts put before them."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evenhand.errors import BadData, BadModel
from evenhand.files import lines, read_text
from evenhand.lab.facts import neutral_sentences
from evenhand.lexicons import plain
from evenhand.models import OpenModel
from evenhand.records import Example
from evenhand.scoring.tokens import Encoder, shown

_LONGEST = 10  # words of a text that is put before a prompt; ROME's have 5 or 10 tokens


@dataclass(frozen=True)
class Request:
    """A prompt to edit: with and without texts before it, and ``SUBJECT is a``, whose answer should stay.

    `contexts` begins with the bare prompt.
    """

    example: Example
    contexts: tuple[Example, ...]
    essence: Example


def check_requests(examples: Sequence[Example]) -> None:
    """Refuse prompts that do not say where their subject stands.

    Raises:
        BadData: there is no prompt, or one has no span.
    """
    if not examples:
        raise BadData("There are no prompts to edit.", mend="Use a benchmark with a train part: genbiaseval.")
    for example in examples:
        if example.span is None or not example.context[slice(*example.span)].strip():
            raise BadData(
                f"The prompt {shown(example.context)} does not say where its subject stands, and an edit is "
                "made at the last token of the subject.",
                mend="Fit on genbiaseval, or give each Example its span (start and end in characters).",
            )


def drawn(examples: Sequence[Example], edits: int | None, seed: int) -> list[Example]:
    """`edits` of the prompts in random order, all of them if None."""
    found = list(examples)
    random.Random(f"{seed} edits").shuffle(found)
    return found[:edits]


def requests(examples: Sequence[Example], texts: Sequence[str]) -> list[Request]:
    """A request for each prompt, with `texts` before it; `check_requests` has let them pass."""
    return [_request(example, texts) for example in examples]


def _request(example: Example, texts: Sequence[str]) -> Request:
    assert example.span is not None  # checked
    start, end = example.span
    subject = example.context[start:end]
    contexts = [example]
    for number, text in enumerate(texts):
        shift = len(text) + 1
        contexts.append(
            dataclasses.replace(
                example,
                id=f"{example.id}/{number}",
                context=f"{text} {example.context}",
                span=(start + shift, end + shift),
            )
        )
    essence = dataclasses.replace(
        example, id=f"{example.id}/essence", context=f"{subject} is a", span=(0, len(subject))
    )
    return Request(example, tuple(contexts), essence)


def neutral_texts(model: OpenModel, file: str, examples: Iterable[Example] = ()) -> list[str]:
    """The lines of `file`; without one sentences of this package without the groups' words: for a model of
    the lab those of its language, else plain English. None has a term of the `examples`, none is one that
    ``perplexity`` reads.

    Raises:
        BadData: the file cannot be read.
    """
    if file:
        return [line for line in lines(read_text(Path(file))) if line.strip()]
    lab = model.spec.uri.startswith("lab:")
    every = neutral_sentences("train") if lab else plain()
    terms = {form.strip().lower() for e in examples for group in e.terms for form in group}
    return [text for text in every if not terms & set(re.findall(r"\w+", text.lower()))]


def prefixes(texts: Sequence[str], number: int, seed: int) -> list[str]:
    """`number` short texts, drawn with `seed`, to stand before prompts; fewer if there are fewer."""
    short = sorted({text.strip() for text in texts if len(text.split()) <= _LONGEST})
    return random.Random(f"{seed} prefixes").sample(short, min(number, len(short)))


def last_tokens(model: OpenModel, examples: Sequence[Example]) -> list[int]:
    """Where in the ids of each prompt, special tokens included, the last token of its subject is.

    Raises:
        BadModel: the tokenizer does not say which characters a token stands for.
    """
    before = len(Encoder.of(model.module, model.tokenizer).prefix)
    try:
        encoded = model.tokenizer(
            [example.context for example in examples], add_special_tokens=False, return_offsets_mapping=True
        )
    except NotImplementedError:
        raise BadModel(
            f"The tokenizer of {model.spec.uri} does not say which characters a token stands for, so that a "
            "subject's last token cannot be found.",
            mend="Use a checkpoint with a fast tokenizer (tokenizer.json).",
        ) from None
    found = []
    for example, offsets in zip(examples, encoded["offset_mapping"], strict=True):
        start, end = example.span or (0, 0)
        inside = [i for i, (a, b) in enumerate(offsets) if a < end and b > start]
        if not inside:
            raise BadModel(
                f"No token of {shown(example.context)} stands for its subject.",
                mend="Use a tokenizer that gives the characters of its tokens.",
            )
        found.append(before + inside[-1])
    return found
