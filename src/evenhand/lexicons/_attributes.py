"""Sensitive attributes: their groups, the terms that name them, and the frame that asks for a term."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from evenhand.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Group:
    """One value of an attribute.

    Attributes:
        name: the name in result columns (``p.<name>``).
        terms: mutually exclusive surface forms, each with its leading space.
        possessive: the possessive pronoun, without a space; None where the group has none of its own.
    """

    name: str
    terms: tuple[str, ...]
    possessive: str | None = None


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
    """

    name: str
    title: str
    frame: str
    groups: tuple[Group, ...]
    neutral: tuple[str, ...]
    definitional: frozenset[str]
    source: str

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups' names, in order."""
        return tuple(group.name for group in self.groups)


def attribute(name: str) -> Attribute:
    """The attribute called `name`.

    Raises:
        UnknownName: there is none of this name; the message lists near names and all that exist.
    """
    known = _attributes()
    if name not in known:
        raise UnknownName("sensitive attribute", name, known)
    return known[name]


def attribute_names() -> tuple[str, ...]:
    """The names of all attributes: gender first, then in the order of the data file."""
    return tuple(_attributes())


@cache
def _attributes() -> Mapping[str, Attribute]:
    text = files("evenhand.lexicons").joinpath("attributes.toml").read_text("utf-8")
    return {name: _attribute(name, entry) for name, entry in tomllib.loads(text).items()}


def _attribute(name: str, entry: Mapping[str, Any]) -> Attribute:
    groups = tuple(Group(g["name"], tuple(g["terms"]), g.get("possessive")) for g in entry["groups"])
    return Attribute(
        name=name,
        title=entry["title"],
        frame=entry["frame"],
        groups=groups,
        neutral=tuple(entry["neutral"]),
        definitional=frozenset(entry.get("definitional", ())),
        source=entry["source"],
    )
