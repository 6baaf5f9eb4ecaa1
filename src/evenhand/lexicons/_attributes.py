"""Sensitive attributes: their groups, the terms that name them, and the frame that asks for a term.

A crossed attribute has a group for every combination of the groups of its axes ("Black women", "white men").
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

from evenhand.lexicons._inflection import POSSESSIVE, fill, hint_forms, split_term


@dataclass(frozen=True, slots=True)
class Group:
    """One value of an attribute.

    Attributes:
        name: the name in result columns (``p.<name>``).
        terms: mutually exclusive surface forms, each with its leading space.
        forms: its inflected forms as (key, texts), without a space, such as ``possessive``; empty if none.
        parts: of a crossed attribute, the group on each axis, in the axes' order; else empty.
    """

    name: str
    terms: tuple[str, ...]
    forms: tuple[tuple[str, tuple[str, ...]], ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def possessive(self) -> str | None:
        """The possessive pronoun, without a space; None where the group has none of its own."""
        return dict(self.forms).get(POSSESSIVE, (None,))[0]

    def fill(self, frame: str, **words: str) -> str:
        """A sentence with `words` in its slots and the group's forms in its hints (``{hint:accusative}``).

        Raises:
            BadOption: a hint asks for a form that the group does not have.
        """
        return fill(frame, words, self.forms, self.name)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A sensitive attribute.

    Attributes:
        name, title: for machines and for people.
        frame: the start of a sentence with ``{profession}`` and ``{action}``; a group's term follows it.
        groups: two or more, in the order of all result columns.
        neutral: surface forms that name no group; empty when there is none.
        definitional: professions whose meaning already states the attribute.
        source: where frame and terms come from.
        axes: the names of what a crossed attribute crosses; empty for a plain one.
        digest: SHA-256 of the file of a user's own attribute; empty for the built-in ones.
        hints: (name, sentence) pairs that state the group by one of its forms, with ``{profession}``; empty
            where a benchmark uses its own.
        anchors: such sentences with ``{action}`` as well, to train on; empty where a benchmark uses its own.
    """

    name: str
    title: str
    frame: str
    groups: tuple[Group, ...]
    neutral: tuple[str, ...]
    definitional: frozenset[str]
    source: str
    axes: tuple[str, ...] = ()
    digest: str = ""
    hints: tuple[tuple[str, str], ...] = ()
    anchors: tuple[str, ...] = ()

    def has_forms(self, frames: Sequence[str]) -> bool:
        """Whether every group has all the forms that the hints of the `frames` ask for."""
        wanted = set(hint_forms(frames))
        return all(wanted <= dict(group.forms).keys() for group in self.groups)

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups' names, in order."""
        return tuple(group.name for group in self.groups)


def crossed(axes: Sequence[Sequence[Group]]) -> tuple[Group, ...]:
    """A group for every combination, the last axis fastest; its terms are every combination of their terms.

    " Black" and " women" make " Black women", in a group named ``black_women``.
    """
    return tuple(
        Group(
            name="_".join(group.name for group in groups),
            terms=tuple("".join(terms) for terms in product(*(group.terms for group in groups))),
            parts=tuple(group.name for group in groups),
        )
        for groups in product(*axes)
    )


@cache
def built_in() -> Mapping[str, Attribute]:
    """The built-in attributes by name: gender first, then in the order of the data file."""
    text = files("evenhand.lexicons").joinpath("attributes.toml").read_text("utf-8")
    known: dict[str, Attribute] = {}
    for name, entry in tomllib.loads(text).items():
        known[name] = made(name, entry, known)
    return known


def made(name: str, entry: Mapping[str, Any], known: Mapping[str, Attribute], digest: str = "") -> Attribute:
    """The attribute of a checked table; an axis without tables takes the groups of that `known` attribute."""
    axes = tuple(entry.get("crosses", ()))
    frame, form = split_term(entry["frame"])
    groups = (
        crossed([_groups(entry[axis], form) if axis in entry else known[axis].groups for axis in axes])
        if axes
        else _groups(entry["groups"], form)
    )
    return Attribute(
        name=name,
        title=entry["title"],
        frame=frame,
        groups=groups,
        neutral=tuple(map(spaced, entry.get("neutral", ()))),
        definitional=frozenset(entry.get("definitional", ())),
        source=entry["source"],
        axes=axes,
        digest=digest,
        hints=tuple((key, text.strip()) for key, text in entry.get("hints", {}).items()),
        anchors=tuple(text.strip() for text in entry.get("anchors", ())),
    )


def _groups(tables: Sequence[Mapping[str, Any]], form: str) -> tuple[Group, ...]:
    """The groups of their tables; with a `form` its texts are the terms."""
    found = []
    for table in tables:
        forms = forms_of(table)
        terms = forms[form] if form else table["terms"]
        found.append(Group(table["name"], tuple(map(spaced, terms)), tuple(forms.items())))
    return tuple(found)


def forms_of(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The forms of a group's table by key, with its key ``possessive``; each may be a text or a list."""
    texts = {**table.get("forms", {})}
    if POSSESSIVE in table:
        texts[POSSESSIVE] = table[POSSESSIVE]
    return {key: (text,) if isinstance(text, str) else tuple(text) for key, text in texts.items()}


def spaced(term: str) -> str:
    """`term` with one space before each of its words."""
    return "".join(f" {word}" for word in term.split())
