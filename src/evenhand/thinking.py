"""Thinking blocks in written text: what a model says to itself is no answer.

Models mark it with tags. The opening one may stand in the chat template, so that only the closing one is in
the text; a length that ends inside a block leaves no answer at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNCLOSED = "unclosed thinking block"
_NAMES = "think|thinking|thought|reasoning"
_BLOCK = re.compile(rf"<({_NAMES})>.*?</\1>|\[THINK\].*?\[/THINK\]", re.IGNORECASE | re.DOTALL)
_OPEN = re.compile(rf"<(?:{_NAMES})>|\[THINK\]", re.IGNORECASE)
_CLOSE = re.compile(rf"</(?:{_NAMES})>|\[/THINK\]", re.IGNORECASE)
TAGS = ("<think>", "</think>", "<thinking>", "</thinking>", "[THINK]", "[/THINK]")
"""Tags that a tokenizer may hold as single tokens."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is left of a text without its thinking.

    Attributes:
        text: the answer; None where a block is not closed, so that there is none.
        dropped: whether a block was taken out.
        headless: whether a block was closed that the text itself does not open.
    """

    text: str | None
    dropped: bool = False
    headless: bool = False


def spoken(text: str) -> Spoken:
    """`text` without its closed thinking blocks and the space after them."""
    if not _OPEN.search(text) and not _CLOSE.search(text):
        return Spoken(text)
    rest = _BLOCK.sub("", text)
    closed = list(_CLOSE.finditer(rest))
    headless = bool(closed)
    if closed:
        rest = rest[closed[-1].end() :]
    if _OPEN.search(rest):
        return Spoken(None, dropped=False, headless=headless)
    return Spoken(rest.lstrip(), dropped=True, headless=headless)
