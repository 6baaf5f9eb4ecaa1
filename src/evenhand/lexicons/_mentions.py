"""Single words that mention a group, to be looked for in running text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from evenhand.lexicons._attribute_files import attribute
from evenhand.lexicons._swaps import gendered_words

_WORD = re.compile(r"[^\W\d_]+")


@cache
def mention_words(name: str) -> Mapping[str, frozenset[str]]:
    """The words that mention each group of an attribute, in lower case; a word of two groups is in none.

    Gender has the pronouns and the pairs of gendered nouns (man, woman); other attributes have their own
    terms as far as these are single words: "white" is also a colour, and is counted wherever it stands. The
    inflected forms count, too, but not those of a language pack: they may be participles ("arrivée").

    Raises:
        UnknownName: there is no such attribute.
    """
    if name == "gender":
        return gendered_words()
    about = attribute(name)
    found = {
        group.name: {
            text.strip().casefold()
            for text in (*group.terms, *(t for _, ts in group.forms for t in ts if not about.is_pack))
        }
        for group in about.groups
    }
    words = {group: {text for text in texts if _WORD.fullmatch(text)} for group, texts in found.items()}
    return {
        group: frozenset(w for w in own if sum(w in other for other in words.values()) == 1)
        for group, own in words.items()
    }
