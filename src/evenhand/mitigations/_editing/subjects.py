"""Requests to edit: prompts, the texts put before them, and the token of each at which an edit is made."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from evenhand.lab.facts import neutral_sentences
from evenhand.lexicons import plain
from evenhand.mitigations._texts import own_texts
from evenhand.models import OpenModel
from evenhand.records import Example
from evenhand.scoring.subjects import subject_tokens
from evenhand.scoring.tokens import Encoder

Token = Literal["subject_last", "last"]
"""Where an edit is made: at the last token of the subject, or of the prompt."""
_LONGEST = 10  # words of a text that is put before a prompt; ROME's have 5 or 10 tokens


@dataclass(frozen=True)
class Request:
    """A prompt to edit: with and without texts before it, and ``SUBJECT is a``, whose answer should stay.

    `contexts` begins with the bare prompt.
    """

    example: Example
    contexts: tuple[Example, ...]
    essence: Example


def drawn(examples: Sequence[Example], edits: int | None, seed: int) -> list[Example]:
    """`edits` of the prompts in random order, all of them if None."""
    found = list(examples)
    random.Random(f"{seed} edits").shuffle(found)
    return found[:edits]


def requests(examples: Sequence[Example], texts: Sequence[str]) -> list[Request]:
    """A request for each prompt, whose subject is known, with `texts` before it."""
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
        return own_texts(file)
    lab = model.spec.uri.startswith("lab:")
    every = neutral_sentences("train") if lab else plain()
    terms = {form.strip().lower() for e in examples for group in e.terms for form in group}
    return [text for text in every if not terms & set(re.findall(r"\w+", text.lower()))]


def prefixes(texts: Sequence[str], number: int, seed: int) -> list[str]:
    """`number` short texts, drawn with `seed`, to stand before prompts; fewer if there are fewer."""
    short = sorted({text.strip() for text in texts if len(text.split()) <= _LONGEST})
    return random.Random(f"{seed} prefixes").sample(short, min(number, len(short)))


def places(model: OpenModel, examples: Sequence[Example], token: Token = "subject_last") -> list[int]:
    """Where `token` is in the ids of each prompt, special tokens included.

    Raises:
        BadData, BadModel: as for `subject_tokens`.
    """
    if token == "last":
        ids = Encoder.of(model.module, model.tokenizer).prompts([example.context for example in examples])
        return [len(row) - 1 for row in ids]
    return [tokens[-1] for tokens in subject_tokens(model, examples)]
