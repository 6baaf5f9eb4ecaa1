"""What is known about a language, so that a sentence that gives away a person's gender can be refused."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files
from typing import Any

WORD = re.compile(r"[^\W\d_]+(?:['’·*:-][^\W\d_]+)*[.]?")
_VOWELS = "aeiouyhàâäéèêëîïôöùûü"


class Whom(IntEnum):
    """For whom a form stands; a larger one gives more away."""

    NOBODY = 0  # who is spoken to
    UNCLEAR = 1  # the person, or what was named before
    PERSON = 2


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
        ambiguous: those of them that may stand for several people, for a thing, or for whom one speaks to.
        others: a regular expression for what they may then stand for, before them; empty for none.
        things: a regular expression for a subject right before a verb that is no person's name.
        elided: words that are shortened before a vowel.
        patterns: (regular expression, why it gives a gender away).
        doubtful: such pairs for what may do so.
    """

    name: str
    articles: Mapping[str, Sequence[str]]
    gendered: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    pronouns: frozenset[str] = frozenset()
    inflected: frozenset[str] = frozenset()
    antecedents: tuple[str, ...] = ()
    ambiguous: frozenset[str] = frozenset()
    others: str = ""
    things: str = ""
    elided: frozenset[str] = frozenset()
    patterns: tuple[tuple[str, str], ...] = ()
    doubtful: tuple[tuple[str, str], ...] = ()

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
            elif word in self.inflected and word not in known and self.stands_for(word, text) is Whom.PERSON:
                yield f"has {word!r}, a form that says the gender of whom it stands for"
        for pattern, why in self.patterns:
            if found := self._found(pattern, text, of_things=False):
                yield f"has {found!r}: {why}"

    def asks(self, text: str) -> Iterator[str]:
        """What in a text may give it away, so that somebody has to look, as ends of a sentence."""
        for word in dict.fromkeys(words(text)):
            if word in self.ambiguous and self.stands_for(word, text) is Whom.UNCLEAR:
                yield f"has {word!r}: does it stand for somebody else, or for several?"
        for pattern, why in self.doubtful:
            if found := self._found(pattern, text, of_things=False):
                yield f"has {found!r}: {why}"
        for pattern, _ in self.patterns if self.things else ():
            if found := self._found(pattern, text, of_things=True):
                yield f"has {found!r}: does it speak of the thing before it, and not of the person?"

    def _found(self, pattern: str, text: str, *, of_things: bool) -> str:
        """The first match of a pattern whose subject is a thing, or is none; empty where there is none."""
        for found in re.finditer(pattern, text):
            thing = bool(self.things and re.search(self.things, text[: found.start()]))
            if thing == of_things:
                return found.group().strip(" ,")
        return ""

    def stands_for(self, word: str, text: str) -> Whom:
        """For whom a form of a pronoun, in lower case, stands in a text: the clearest of its places."""
        if word not in self.ambiguous:
            return Whom.PERSON
        found = {
            self._place(text, place.start())
            for place in WORD.finditer(text)
            if place.group().rstrip(".").casefold() == word
        }
        return max(found, default=Whom.NOBODY)

    def _place(self, text: str, start: int) -> Whom:
        before = text[:start].rstrip()
        begins = not before or before[-1] in ".!?:"
        if text[start].isupper() and not begins:
            return Whom.NOBODY  # the polite form, to whom one speaks
        return Whom.UNCLEAR if self.others and re.search(self.others, text[:start]) else Whom.PERSON

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
        ambiguous=frozenset(entry.get("ambiguous", ())),
        others=entry.get("others", ""),
        things=entry.get("things", ""),
        patterns=_patterns(entry, "patterns"),
        doubtful=_patterns(entry, "doubtful"),
    )


def _patterns(entry: Mapping[str, Any], name: str) -> tuple[tuple[str, str], ...]:
    """The pairs of that name, with the language's `parts` in place of their names between two %."""
    parts: Mapping[str, str] = entry.get("parts", {})
    return tuple(
        (re.sub("%([a-z_]+)%", lambda found: parts[found[1]], pattern), why)
        for pattern, why in entry.get(name, ())
    )


@cache
def _entries() -> Mapping[str, Any]:
    return tomllib.loads(files("evenhand.lexicons").joinpath("languages.toml").read_text("utf-8"))
