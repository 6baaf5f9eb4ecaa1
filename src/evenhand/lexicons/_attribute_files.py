"""Attributes of the user's own, from one TOML file.

::

    name = "caste"                              # part of the sample ids: a-z, 0-9 and _
    title = "caste"                             # for people; optional, else the name
    frame = "The {profession} who {action} is"  # the next words are a group's term
    source = "where the terms come from"        # optional
    neutral = ["..."]                           # optional: forms that name no group
    definitional = ["priest"]                   # optional: professions that state the attribute already

    [[groups]]                                  # two or more
    name = "dalit"                              # the column is p.dalit
    terms = ["Dalit"]                           # every form that counts; a space is put before each
    possessive = "his"                          # optional; genhinteval needs one in every group

An intersection has ``crosses = ["religion", "gender"]`` in place of the groups, and tables of groups for
each axis (``[[gender]]`` with `name` and `terms`), in the order in which the words stand. An axis without
tables is the built-in attribute of that name, where its terms are adjectives.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from evenhand.errors import BadData, listed
from evenhand.files import parse_toml, read_text
from evenhand.lexicons._attributes import Attribute, attribute, attribute_names, made
from evenhand.lexicons._professions import profession_entries
from evenhand.lexicons._swaps import gender_of

KEYS: Mapping[str, type] = {
    "name": str, "title": str, "frame": str, "source": str, "neutral": list, "definitional": list,
    "crosses": list, "groups": list,
}  # fmt: skip
_KINDS = dict.fromkeys(("neutral", "definitional", "crosses"), "list of texts") | {"groups": "table"}
GROUP_KEYS = ("name", "terms", "possessive")
SLOTS = ("profession", "action")
_NAME = re.compile(r"[a-z0-9_]+")
# Pronouns cannot stand between an article and a noun, so an axis may not borrow them.
_NO_AXES = frozenset({"gender"})


def from_file(path: Path) -> Attribute:
    """The attribute that a file describes.

    Raises:
        BadData: the file cannot be read, is no TOML, or has problems: all of them are listed, with their
            tables.
    """
    text = read_text(path, mend=f"Name a readable file, or one of {', '.join(attribute_names())}.")
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise BadData(f"{path} is {error}.", mend="Mend the file and run again.") from None
    problems = [*_key_problems(table), *_axis_problems(table)]
    if not problems:  # words are looked at once the layout is right
        problems = _word_problems(_made(table, ""))
    if problems:
        raise BadData(f"{path} cannot be used: {listed(problems)}.", mend="Mend the file and run again.")
    return _made(table, hashlib.sha256(text.encode()).hexdigest())


def _made(table: Mapping[str, Any], digest: str) -> Attribute:
    known = {name: attribute(name) for name in attribute_names()}
    defaults = {"title": table["name"], "source": "the user's own file"}
    return made(table["name"], {**defaults, **table}, known, digest)


def _key_problems(table: Mapping[str, Any]) -> list[str]:
    axes = [axis for axis in table.get("crosses", ()) if isinstance(axis, str)]
    found = [f"the key {key!r} is missing" for key in ("name", "frame") if key not in table]
    found += [_unknown(key, (*KEYS, *axes)) for key in table if key not in KEYS and key not in axes]
    for key, kind in KEYS.items():
        texts = kind is list and key != "groups"
        if key in table and not (_texts(table[key]) if texts else isinstance(table[key], kind)):
            found.append(f"{key} is {table[key]!r}, not a {_KINDS.get(key, 'text')}")
        elif kind is str and key in table and not table[key].strip():
            found.append(f"{key} is blank")
    name = table.get("name")
    if isinstance(name, str) and name.strip():
        if not _NAME.fullmatch(name):
            found.append(f"name is {name!r}, which may hold a-z, 0-9 and _ only")
        elif name in attribute_names():
            found.append(f"name is {name!r}, which is a built-in attribute")
    if isinstance(table.get("frame"), str):
        found += _slot_problems(table["frame"])
    if _texts(table.get("definitional")):
        found += _profession_problems(table["definitional"])
    return found


def _profession_problems(names: Sequence[str]) -> list[str]:
    known = [entry.name for entry in profession_entries()]
    return [
        f"definitional has {n!r}, which is no profession{_near(n, known)}" for n in names if n not in known
    ]


def _unknown(key: str, known: Sequence[str], where: str = "") -> str:
    return f"{where}there is no key {key!r}{_near(key, known)}"


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text.strip() for text in value)


def _slot_problems(frame: str) -> list[str]:
    try:
        slots = [name for _, name, _, _ in string.Formatter().parse(frame) if name is not None]
    except ValueError as error:
        return [f"the frame has a brace that does not close or open a slot ({error})"]
    missing = [f"the frame lacks {{{slot}}}" for slot in SLOTS if slot not in slots]
    return [*missing, *(f"the frame has a slot {{{s}}} of no meaning" for s in slots if s not in SLOTS)]


def _axis_problems(table: Mapping[str, Any]) -> list[str]:
    """What is wrong with the groups, or with those of each axis."""
    if "crosses" not in table:
        return _group_problems("groups", table.get("groups"))
    axes = [axis for axis in table["crosses"] if isinstance(axis, str)]
    found = ["'groups' and 'crosses' are both given: give one of them"] if "groups" in table else []
    if len(set(axes)) < 2 or len(set(axes)) < len(axes):
        found.append(f"crosses is {table['crosses']!r}, not two different axes or more")
    borrowed = [n for n in attribute_names() if n not in _NO_AXES and not attribute(n).axes]
    for axis in dict.fromkeys(axes):
        if axis in table:
            found += _group_problems(axis, table[axis])
        elif axis not in borrowed:
            found.append(
                f"the axis {axis!r} has no [[{axis}]] tables, and only {', '.join(borrowed)} can do without"
            )
    return found


def _group_problems(key: str, groups: Any) -> list[str]:
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        return [f"there are no [[{key}]] tables"]
    found = [f"there {'is one' if groups else 'is no'} [[{key}]] table, not two or more"] * (len(groups) < 2)
    names: list[str] = []
    for number, group in enumerate(groups, start=1):
        where = f"[[{key}]] {number}: "
        found += [f"{where}the key {n!r} is missing" for n in ("name", "terms") if n not in group]
        found += [_unknown(name, GROUP_KEYS, where) for name in group if name not in GROUP_KEYS]
        name = group.get("name", "")
        if "name" in group and not (isinstance(name, str) and _NAME.fullmatch(name)):
            found.append(f"{where}name is {name!r}, which may hold a-z, 0-9 and _ only")
        elif name and name in names:
            found.append(f"{where}the name {name!r} stands already at {names.index(name) + 1}")
        names.append(str(name))
        if "terms" in group and not (_texts(group["terms"]) and group["terms"]):
            found.append(f"{where}terms is {group['terms']!r}, not a list of texts")
        pronoun = group.get("possessive", "x")
        if not isinstance(pronoun, str) or not pronoun.strip():
            found.append(f"{where}possessive is {pronoun!r}, not a word")
    return found


def _word_problems(about: Attribute) -> list[str]:
    """Terms that cannot be told apart, and a frame that gives an answer away."""
    terms = [(term, group.name) for group in about.groups for term in group.terms]
    terms += [(term, "neutral") for term in about.neutral]
    found = _overlaps(terms)
    bare = about.frame.format(profession="", action="")
    before = re.findall(r"[\w-]+", bare.lower())
    sentence = f" {' '.join(before)} "
    if gender_of(bare):
        found.append("the frame has a gendered word, which would decide for the model")
    said = [term for term, _ in terms if f"{term.lower()} " in sentence]
    found += [f"the frame has the term {term.strip()!r} in it" for term in said]
    vowels = {term[1].lower() in "aeiou" for term, _ in terms}
    if before[-1:] in (["a"], ["an"]) and len(vowels) > 1:
        found.append(
            f"the frame ends with {before[-1]!r}, which fits some terms only: put the article into the terms"
        )
    return found


def _overlaps(terms: Iterable[tuple[str, str]]) -> list[str]:
    owners: dict[str, str] = {}
    found = []
    for term, owner in terms:
        if term in owners:
            both = "twice" if owners[term] == owner else f"in {owners[term]} and in {owner}"
            found.append(f"the term {term.strip()!r} stands {both}")
        owners.setdefault(term, owner)
    return found + [
        f"the term {longer.strip()!r} begins with the term {term.strip()!r}, so it would count twice"
        for term, longer in permutations(owners, 2)
        if longer.startswith(term)
    ]
