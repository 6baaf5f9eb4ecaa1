"""A text about a man as a text about a woman, and the other way round, without any other change."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

_WORD = re.compile(r"[A-Za-z]+")
_LET = re.compile(r"\b(?:let|lets|letting) $", re.IGNORECASE)
_OTHER_POSSESSIVE = re.compile(r"^(?: ?/ ?| or )(?:her|his|their)\b", re.IGNORECASE)
_HYPHEN = re.compile(r"[A-Za-z]+-[A-Za-z]")
_MASCULINE_PRONOUNS = frozenset({"him", "his"})
_FEMININE_PRONOUNS = frozenset({"her", "hers"})


def swap_gender(text: str) -> str:
    """`text` with every gendered word in the other gender, case kept.

    "her" becomes "his" before the noun that it possesses and "him" elsewhere; "his" becomes "her" before a
    noun and "hers" elsewhere. What follows decides: the end of the text, a punctuation mark or a function
    word means that there is no noun, and so does "let" before "her". Where both readings are possible
    ("gave her books") the one with a noun is taken. "Mrs" becomes "Mr", and "Mr" becomes "Ms". Names stay.
    """
    parts: list[str] = []
    end = 0
    for found in _WORD.finditer(text):
        other = _other(found.group(), text[: found.start()], text[found.end() :])
        parts += [text[end : found.start()], other]
        end = found.end()
    return "".join([*parts, text[end:]])


def gendered_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Where the gendered words of `text` stand: the first character of each, and the one after its last."""
    known = _lists()[0].keys() | _MASCULINE_PRONOUNS | _FEMININE_PRONOUNS
    return tuple(found.span() for found in _WORD.finditer(text) if found.group().lower() in known)


def gender_of(text: str) -> str | None:
    """``male`` or ``female`` by the first gendered word of `text`; None where it has none."""
    table, _ = _lists()
    masculine = {first for first, second in _pairs()} | _MASCULINE_PRONOUNS
    for found in _WORD.finditer(text):
        word = found.group().lower()
        if word in table or word in _MASCULINE_PRONOUNS | _FEMININE_PRONOUNS:
            return "male" if word in masculine else "female"
    return None


def gendered_sentences() -> tuple[tuple[str, str, str], ...]:
    """(masculine word, sentence with it, the same with its feminine word), each pair in each frame."""
    data = _data()
    return tuple(
        (first, frame.format(word=first), frame.format(word=second))
        for first, second in _pairs()
        if first not in data["not_after_the"]
        for frame in data["frames"]
    )


def gendered_words() -> Mapping[str, frozenset[str]]:
    """The words of each gender, in lower case: pronouns, and the nouns that have a counterpart."""
    pairs = _pairs()
    masculine = {first for first, _ in pairs} | _MASCULINE_PRONOUNS
    feminine = {second for _, second in pairs} | _FEMININE_PRONOUNS | {"mrs"}
    return {"male": frozenset(masculine - feminine), "female": frozenset(feminine - masculine)}


def _other(word: str, before: str, rest: str) -> str:
    table, _ = _lists()
    low = word.lower()
    if low == "her":
        made = "him" if _LET.search(before) or not _noun_follows(rest) else "his"
    elif low == "his":
        made = "her" if _noun_follows(rest) else "hers"
    else:
        made = {"hers": "his", "him": "her", **table}.get(low, low)
    return word if made == low else _cased(made, word)


def _noun_follows(rest: str) -> bool:
    """Whether the words after a possessive begin with what it possesses, "his or her" counting as one."""
    rest = _OTHER_POSSESSIVE.sub("", rest)
    if not rest.startswith(" "):
        return False
    following = rest.lstrip(" ")
    first = _WORD.match(following)
    if first is None:
        return following[:1].isdigit() or following[:1] in "\"'“‘("
    return bool(_HYPHEN.match(following)) or first.group().lower() not in _lists()[1]


def _cased(made: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return made.upper()
    return made.capitalize() if like[0].isupper() else made


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(files("evenhand.lexicons").joinpath("swaps.toml").read_text("utf-8"))


def _pairs() -> list[tuple[str, str]]:
    return [(first, second) for first, second in _data()["pairs"]]


@cache
def _lists() -> tuple[Mapping[str, str], frozenset[str]]:
    """Each gendered word with its counterpart, and the words that follow no possessive."""
    both = {"mrs": "mr"}
    for first, second in _pairs():
        both |= {first: second, second: first}
    return both, frozenset(str(word) for word in _data()["no_noun"])
