"""Sentence frames with slots, and the inflected forms of a group's words that fill them.

A frame is a sentence with slots in braces, as for `str.format`:

- ``{profession}`` and ``{action}`` are filled by the benchmark;
- ``{hint:KEY}`` is the form KEY of the hinted group (``{hint:accusative}``), ``{hint}`` and ``{possessive}``
  are its possessive;
- ``{noun}`` is the noun of a profession for somebody of the hinted group, which a language pack gives;
- ``{term:KEY}`` at the end of a frame says in which form the group's terms follow.

Keys are free: ``dative``, ``accusative_feminine``, whatever the sentences of a language distinguish.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence

from evenhand.errors import BadOption, did_you_mean

Forms = Sequence[tuple[str, tuple[str, ...]]]
"""(key, texts) of a group: all texts count as its terms, the first one is inserted into a sentence."""
POSSESSIVE = "possessive"
NOUN = "noun"


def slots(frame: str) -> list[tuple[str, str]]:
    """(name, form) of each slot in order; the form is "" for a slot that is no word of a group.

    Raises:
        ValueError: a brace does not close or open a slot.
    """
    return [
        _slot(name, spec or "") for _, name, spec, _ in string.Formatter().parse(frame) if name is not None
    ]


def _slot(name: str, spec: str) -> tuple[str, str]:
    if name == POSSESSIVE:
        return "hint", POSSESSIVE
    return name, spec or (POSSESSIVE if name == "hint" else "")


def hint_forms(frames: Sequence[str]) -> list[str]:
    """The keys of the forms that the frames insert, each once."""
    return list(dict.fromkeys(form for frame in frames for name, form in slots(frame) if name == "hint"))


def takes_noun(frame: str) -> bool:
    """Whether a sentence names somebody by the noun of their profession."""
    return any(name == NOUN for name, _ in slots(frame))


def split_term(frame: str) -> tuple[str, str]:
    """A frame without the slot ``{term:KEY}`` at its end, and KEY; "" where it has none."""
    head, brace, tail = frame.strip().rpartition("{")
    name, _, form = tail.removesuffix("}").partition(":")
    if not brace or name != "term" or not tail.endswith("}"):
        return frame.strip(), ""
    return head.strip(), form


def fill(frame: str, words: Mapping[str, str], forms: Forms = (), of: str = "") -> str:
    """The frame with `words` in its slots by name, and `forms` in its hints; `of` names the group.

    Raises:
        BadOption: a hint asks for a form that the group does not have.
    """
    texts = dict(forms)
    parts = []
    for literal, name, spec, _ in string.Formatter().parse(frame):
        parts.append(literal)
        if name is None:
            continue
        slot, form = _slot(name, spec or "")
        if slot != "hint":
            parts.append(words[slot])
        elif form in texts:
            parts.append(texts[form][0])
        else:
            raise BadOption(
                f"The sentence {frame!r} takes the form {form!r} of the group {of!r}, which "
                f"{lacking(form, texts)}.",
                mend=f'Write {form} = "..." into the forms of this group.',
            )
    return "".join(parts)


def lacking(form: str, there: Mapping[str, object]) -> str:
    """The end of a sentence about a group without this form: what it has instead."""
    has = f"has {', '.join(there)}" if there else "has no forms"
    return f"{has} only{did_you_mean(form, there)}" if there else has
