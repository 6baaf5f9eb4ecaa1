"""The word lists of the scorer that counts listed words in a text."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_WORD = re.compile(r"[^\W_]+")


@cache
def tone() -> Mapping[str, frozenset[str]]:
    """The word lists ``hurtful``, ``positive`` and ``negative``, lower case, one word each (ours)."""
    text = files("evenhand.lexicons").joinpath("tone.toml").read_text("utf-8")
    return {name: frozenset(words) for name, words in tomllib.loads(text).items()}


def words(text: str) -> list[str]:
    """The words of `text` in order, case and compatibility forms folded; hyphens and full stops divide
    them.
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
