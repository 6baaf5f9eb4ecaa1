"""What is known about a language, so that a sentence that gives away a person's gender can be refused."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

WORD = re.compile(r"[^\W\d_]+(?:['’·*:-][^\W\d_]+)*[.]?")
_VOWELS = "aeiouyhàâäéèêëîïôöùûü"


@dataclass(frozen=True, slots=True)
class Language:
    """Words of a language by what they tell about a person; all but the name may be empty.

    Attributes:
        name: for people; the code where the language is not known.
        articles: by the form of a noun (``feminine``), the articles that it may have.
        gendered, endings: words that say a gender, and endings of compounds that do, in lower case.
        pronouns: third person singular.
        inflected: forms of pronouns and possessives that say the gender of whom they stand for.
        antecedents: endings of nouns that stand for anybody, and whose pronoun follows their own gender.
        elided: words that are shortened before a vowel.
        patterns: (regular expression, why it gives a gender away).
    """

    name: str
    articles: Mapping[str, Sequence[str]]
    gendered: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    pronouns: frozenset[str] = frozenset()
    inflected: frozenset[str] = frozenset()
    antecedents: tuple[str, ...] = ()
    elided: frozenset[str] = frozenset()
    patterns: tuple[tuple[str, str], ...] = ()

    @property
    def known(self) -> bool:
        """Whether anything but its code is known about it."""
        return bool(self.gendered)

    def said(self, text: str, known: Collection[str] = ()) -> Iterator[str]:
        """What in a text gives away the gender of the person that it is about, as ends of a sentence.

        Forms of pronouns that are `known` to the caller, in lower case, are left out.
        """
        for word in words(text):
            if word in self.gendered or (self.endings and word.endswith(self.endings)):
                yield f"has the gendered word {word!r}"
            elif word in self.inflected and word not in known:
                yield f"has {word!r}, a form that says the gender of whom it stands for"
        for pattern, why in self.patterns:
            if found := re.search(pattern, text):
                yield f"has {found.group().strip(' ,')!r}: {why}"

    def antecedent(self, text: str) -> str:
        """The first noun of a text whose pronoun follows its own gender; empty where there is none."""
        return next(
            (word for word in words(text) if self.antecedents and word.endswith(self.antecedents)), ""
        )

    def must_elide(self, text: str, terms: Sequence[str]) -> str:
        """The last word of a text if it is shortened before one of the terms; else empty."""
        last = words(text)[-1:]
        vowel = any(term.strip()[:1].lower() in _VOWELS for term in terms)
        return last[0] if last and last[0] in self.elided and vowel else ""


def words(text: str) -> list[str]:
    """The words of a text in lower case; "un·e" and "ein*e" are one word."""
    return [found.group().rstrip(".").casefold() for found in WORD.finditer(text)]


@cache
def language(code: str) -> Language:
    """What is known about the language of a code such as ``de``; nothing but the code for an unknown one."""
    entry: Mapping[str, Any] = _entries().get(code, {})
    return Language(
        name=entry.get("name", code),
        articles=entry.get("articles", {}),
        gendered=frozenset(word.casefold() for word in entry.get("gendered", ())),
        endings=tuple(entry.get("endings", ())),
        pronouns=frozenset(entry.get("pronouns", ())),
        inflected=frozenset(entry.get("inflected", ())),
        antecedents=tuple(entry.get("antecedents", ())),
        elided=frozenset(entry.get("elided", ())),
        patterns=tuple((pattern, why) for pattern, why in entry.get("patterns", ())),
    )


@cache
def _entries() -> Mapping[str, Any]:
    return tomllib.loads(files("evenhand.lexicons").joinpath("languages.toml").read_text("utf-8"))
