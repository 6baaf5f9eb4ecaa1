"""Requests that read a text as a whole: from both sides, or beside another text.

They stand beside the left-to-right ones of `records`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Cloze:
    """Ask a masked model for the pseudo-log-likelihood of ``text[start:end]`` given the rest of `text`.

    `start` and `end` count characters and stand at word boundaries. The character ranges in `hidden` stay
    masked throughout: as many masks as they have tokens. Answered by a `LogProb` of kind ``pseudo``.
    """

    text: str
    start: int
    end: int
    hidden: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Contrast:
    """Ask a masked model for the pseudo-log-likelihood of the tokens that `text` shares with `other`.

    With `part` ``changed`` it is of the tokens of `text` that `other` has not. Which they are, the model's
    own tokenizer says; each is masked alone, all others stay visible. Answered by a `LogProb` of kind
    ``pseudo``.
    """

    text: str
    other: str
    part: Literal["shared", "changed"] = "shared"


@dataclass(frozen=True, slots=True)
class Embedding:
    """Ask for `text` as one vector: the mean of the model's last hidden states over all its tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class Vector:
    """Answer to an `Embedding`: `values` [d], as they come (not normalised)."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Shift:
    """Ask how the next-token distribution after `context` differs from the one after `other`."""

    context: str
    other: str


@dataclass(frozen=True, slots=True)
class Divergence:
    """Answer to a `Shift`: the Jensen-Shannon divergence over the whole vocabulary, in bits (0 to 1).

    `agree` says whether the likeliest token is the same, None where it is not one token alone.
    """

    bits: float
    agree: bool | None
