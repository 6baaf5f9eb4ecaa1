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

from evenhand.lexicons._inflection import NOUN, POSSESSIVE, fill, hint_forms, split_term, takes_noun


@dataclass(frozen=True, slots=True)
class Group:
    """One value of an attribute.

    Attributes:
        name: the name in result columns (``p.<name>``).
        terms: mutually exclusive surface forms, each with its leading space.
        forms: its inflected forms as (key, texts), without a space, such as ``possessive``; empty if none.
        parts: of a crossed attribute, the group on each axis, in the axes' order; else empty.
        noun: which of an `Occupation`'s nouns names somebody of this group; empty where none does.
    """

    name: str
    terms: tuple[str, ...]
    forms: tuple[tuple[str, tuple[str, ...]], ...] = ()
    parts: tuple[str, ...] = ()
    noun: str = ""

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
class Occupation:
    """What somebody does for a living, in the words of a language pack.

    Attributes:
        name: what reports and ids call it.
        phrase: what stands for ``{profession}`` in a sentence; it says no gender.
        nouns: (form, noun with its article) pairs, such as ``("feminine", "eine Ärztin")``; empty if none.
    """

    name: str
    phrase: str
    nouns: tuple[tuple[str, str], ...] = ()

    def noun(self, form: str) -> str:
        """The noun in that form; empty where there is none."""
        return dict(self.nouns).get(form, "")


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody did, in a language pack: `name` for ids, `text` for sentences, `scale` for its length."""

    name: str
    text: str
    scale: str


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
        language: the code of the sentences' language, such as ``de``.
        occupations, actions: what a language pack puts into the sentences; empty where they are the English
            ones of a benchmark.
        base: the built-in attribute that a file takes the rest from; empty for none.
        sentences: hints of a second kind, as `hints`, in which ``{noun}`` is the noun of an occupation.
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
    language: str = "en"
    occupations: tuple[Occupation, ...] = ()
    actions: tuple[Action, ...] = ()
    sentences: tuple[tuple[str, str], ...] = ()
    base: str = ""

    def has_forms(self, frames: Sequence[str]) -> bool:
        """Whether every group has all the forms, and the nouns, that the hints of the `frames` ask for."""
        wanted = set(hint_forms(frames))
        nouns = any(takes_noun(frame) for frame in frames)
        return all(wanted <= dict(group.forms).keys() for group in self.groups) and not (
            nouns and not all(group.noun for group in self.groups)
        )

    @property
    def is_pack(self) -> bool:
        """Whether it brings the words of its own language for all of a sentence."""
        return bool(self.occupations)

    @property
    def words(self) -> str:
        """The groups, with their terms where these are more than the name, then the neutral terms."""
        shown = [_bare(group.terms) for group in self.groups]
        groups = "; ".join(
            terms if terms == group.name else f"{group.name} ({terms})"
            for group, terms in zip(self.groups, shown, strict=True)
        )
        return f"{groups}; of no group: {_bare(self.neutral)}" if self.neutral else groups

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
    """The built-in attributes by name: gender first, then in the order of the data file, then the packs."""
    known: dict[str, Attribute] = {}
    for name, entry in tables().items():
        known[name] = made(name, with_base(entry), known)
    return known


@cache
def tables() -> Mapping[str, Mapping[str, Any]]:
    """The table of each built-in attribute, as its file gives it."""
    folder = files("evenhand.lexicons")
    found: dict[str, Mapping[str, Any]] = tomllib.loads(folder.joinpath("attributes.toml").read_text("utf-8"))
    packs = sorted(folder.joinpath("packs").iterdir(), key=lambda path: path.name)
    return found | {
        table["name"]: table
        for table in (tomllib.loads(path.read_text("utf-8")) for path in packs if path.name.endswith(".toml"))
    }


def with_base(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table with everything that it lacks of the built-in attribute that its key ``base`` names.

    Where it has groups of its own, the base's are left out, with its neutral terms, and so are those of its
    sentences with a hint whose forms these groups do not have.
    """
    base = tables().get(str(table.get("base", "")))
    if base is None:
        return table
    own = {key: value for key, value in base.items() if key not in ("name", "title", "source", *table)}
    groups = table.get("groups")
    if groups is None and "crosses" not in table:
        return {**own, **table}
    kept = {key: value for key, value in own.items() if key not in ("groups", "neutral", "definitional")}
    for key in ("hints", "sentences", "anchors"):
        if key in kept and not _can_fill(groups, kept[key]):
            del kept[key]
    return {**kept, **table}


def _can_fill(groups: Any, frames: Any) -> bool:
    """Whether tables of groups, which need not be right, have all that these sentences take."""
    texts = list(frames.values()) if isinstance(frames, Mapping) else list(frames)
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        return False
    wanted = set(hint_forms(texts)) | ({NOUN} if any(map(takes_noun, texts)) else set())
    forms = [group.get("forms", {}) for group in groups]
    return all(
        isinstance(own, dict) and wanted <= {*group, *own} for group, own in zip(groups, forms, strict=True)
    )


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
        hints=tuple((key, text.strip()) for key, text in _items(entry, "hints")),
        anchors=tuple(text.strip() for text in entry.get("anchors", ())),
        language=entry.get("language", "en"),
        occupations=tuple(
            _occupation(*item, entry.get("nouns", ())) for item in _items(entry, "professions")
        ),
        actions=tuple(
            Action(name, text, scale)
            for scale, of_scale in _items(entry, "actions")
            for name, text in of_scale.items()
        ),
        sentences=tuple((key, text.strip()) for key, text in _items(entry, "sentences")),
        base=entry.get("base", ""),
    )


def _items(entry: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    return list(entry.get(key, {}).items())


def _occupation(name: str, row: str | Sequence[str], forms: Sequence[str]) -> Occupation:
    """The occupation of a row: its phrase, then its nouns in the order of `forms`."""
    phrase, *nouns = [row] if isinstance(row, str) else row
    return Occupation(name, phrase, tuple(zip(forms, nouns, strict=True)) if nouns else ())


def _groups(tables: Sequence[Mapping[str, Any]], form: str) -> tuple[Group, ...]:
    """The groups of their tables; with a `form` its texts are the terms."""
    found = []
    for table in tables:
        forms = forms_of(table)
        terms = forms[form] if form else table["terms"]
        noun = table.get(NOUN, "")
        found.append(Group(table["name"], tuple(map(spaced, terms)), tuple(forms.items()), noun=noun))
    return tuple(found)


def forms_of(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The forms of a group's table by key, with its key ``possessive``; each may be a text or a list."""
    texts = {**table.get("forms", {})}
    if POSSESSIVE in table:
        texts[POSSESSIVE] = table[POSSESSIVE]
    return {key: (text,) if isinstance(text, str) else tuple(text) for key, text in texts.items()}


def _bare(terms: Sequence[str]) -> str:
    return ", ".join(term.strip() for term in terms)


def spaced(term: str) -> str:
    """`term` with one space before each of its words."""
    return "".join(f" {word}" for word in term.split())
