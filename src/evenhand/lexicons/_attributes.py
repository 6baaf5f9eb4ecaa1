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
from pathlib import Path
from typing import Any

from evenhand.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Group:
    """One value of an attribute.

    Attributes:
        name: the name in result columns (``p.<name>``).
        terms: mutually exclusive surface forms, each with its leading space.
        possessive: the possessive pronoun, without a space; None where the group has none of its own.
        parts: of a crossed attribute, the group on each axis, in the axes' order; else empty.
    """

    name: str
    terms: tuple[str, ...]
    possessive: str | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribute:
    """A sensitive attribute.

    Attributes:
        name, title: for machines and for people.
        frame: a sentence opening with ``{profession}`` and ``{action}``; the next words are a group's term.
        groups: two or more, in the order of all result columns.
        neutral: surface forms that name no group; empty when there is none.
        definitional: professions whose meaning already states the attribute.
        source: where frame and terms come from.
        axes: the names of what a crossed attribute crosses; empty for a plain one.
        digest: SHA-256 of the file of a user's own attribute; empty for the built-in ones.
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

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups' names, in order."""
        return tuple(group.name for group in self.groups)


def attribute(name: str) -> Attribute:
    """The attribute called `name`, or the one that a file describes where `name` ends in ``.toml``.

    Raises:
        UnknownName: there is none of this name; the message lists near names and all that exist.
        BadData: the file cannot be used; all its problems are listed.
    """
    if name.endswith(".toml"):
        from evenhand.lexicons._attribute_files import from_file

        return from_file(Path(name))
    known = _attributes()
    if name not in known:
        raise UnknownName(
            "sensitive attribute", name, known, mend="Or name a file of your own: attribute=people.toml."
        )
    return known[name]


def attribute_names() -> tuple[str, ...]:
    """The names of all built-in attributes: gender first, then in the order of the data file."""
    return tuple(_attributes())


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
def _attributes() -> Mapping[str, Attribute]:
    text = files("evenhand.lexicons").joinpath("attributes.toml").read_text("utf-8")
    known: dict[str, Attribute] = {}
    for name, entry in tomllib.loads(text).items():
        known[name] = made(name, entry, known)
    return known


def made(name: str, entry: Mapping[str, Any], known: Mapping[str, Attribute], digest: str = "") -> Attribute:
    """The attribute of a checked table; axes without groups of their own are those of `known` attributes."""
    axes = tuple(entry.get("crosses", ()))
    groups = (
        crossed([_groups(entry[axis]) if axis in entry else known[axis].groups for axis in axes])
        if axes
        else _groups(entry["groups"])
    )
    return Attribute(
        name=name,
        title=entry["title"],
        frame=entry["frame"].strip(),
        groups=groups,
        neutral=tuple(map(spaced, entry.get("neutral", ()))),
        definitional=frozenset(entry.get("definitional", ())),
        source=entry["source"],
        axes=axes,
        digest=digest,
    )


def _groups(tables: Sequence[Mapping[str, Any]]) -> tuple[Group, ...]:
    return tuple(Group(g["name"], tuple(map(spaced, g["terms"])), g.get("possessive")) for g in tables)


def spaced(term: str) -> str:
    """`term` with one space before each of its words."""
    return "".join(f" {word}" for word in term.split())
