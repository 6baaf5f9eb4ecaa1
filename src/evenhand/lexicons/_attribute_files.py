"""Attributes of the user's own, from one TOML file.

::

    name = "caste"                              # part of the sample ids: a-z, 0-9 and _
    title = "caste"                             # for people; optional, else the name
    frame = "The {profession} who {action} is"  # the next words are a group's term
    source = "where the terms come from"        # optional
    neutral = ["..."]                           # optional: forms that name no group
    definitional = ["priest"]                   # optional: professions that state the attribute already
    language = "en"                             # optional; gendered words are looked for in English sentences
                                                # and in those of language packs

    [[groups]]                                  # two or more
    name = "dalit"                              # the column is p.dalit
    terms = ["Dalit"]                           # every form that counts; a space is put before each
    possessive = "his"                          # optional; genhinteval needs one in every group
    forms = {accusative = "him"}                # optional: inflected forms, see below

A sentence selects the inflected form of a word by its key (see `_inflection`)::

    frame = "..., und {profession} {action} mit {term:dative}"    # the terms are each group's form "dative"

    [hints]                                     # sentences of genhinteval by name; without them its own
    coat = "{profession} nahm {hint:accusative_masculine} Mantel, weil"

    anchors = ["..."]                           # to train on: with {profession}, {action} and a hint

A language pack has ``[professions]`` and ``[actions.word]``, ``[actions.phrase]``, ``[actions.sentence]`` of
its own, in place of the English ones, ``[sentences]`` with hints of a second kind, and a `noun` in each group
(see `_pack_problems` and ``docs/language-packs.md``). ``base = "gender_de"`` takes whatever a file lacks from
a built-in attribute.

An intersection has ``crosses = ["religion", "gender"]`` in place of the groups, and tables of groups for
each axis (``[[gender]]`` with `name` and `terms`), in the order in which the words stand. An axis without
tables is the built-in attribute of that name, where its terms are adjectives.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from evenhand.errors import BadData, UnknownName, did_you_mean, listed
from evenhand.files import parse_toml, read_text
from evenhand.lexicons._attributes import Attribute, built_in, forms_of, made, with_base
from evenhand.lexicons._inflection import NOUN, POSSESSIVE, fill, hint_forms, lacking, slots, split_term
from evenhand.lexicons._pack_problems import content_problems, layout_problems
from evenhand.lexicons._professions import profession_entries
from evenhand.lexicons._swaps import gender_of

KEYS: Mapping[str, type] = {
    "name": str, "title": str, "frame": str, "source": str, "neutral": list, "definitional": list,
    "crosses": list, "groups": list, "hints": dict, "anchors": list, "language": str, "base": str,
    "nouns": list, "professions": dict, "actions": dict, "sentences": dict,
}  # fmt: skip
_KINDS = (
    dict.fromkeys(("neutral", "definitional", "crosses", "anchors", "nouns"), "list of texts")
    | dict.fromkeys(("hints", "sentences"), "table of texts")
    | dict.fromkeys(("groups", "professions", "actions"), "table")
)
GROUP_KEYS = ("name", "terms", "possessive", "forms", "noun")
SLOTS = ("profession", "action")
_NAME = re.compile(r"[a-z0-9_]+")
# A pronoun cannot follow an article, so pronouns are no axis of an intersection.
_NO_AXES = frozenset({"gender", "gender_nonbinary"})


def attribute(name: str) -> Attribute:
    """The attribute called `name`, or the one that a file describes where `name` ends in ``.toml``.

    Raises:
        UnknownName: there is none of this name; the message gives near names.
        BadData: the file cannot be used; all its problems are listed.
    """
    if name.endswith(".toml"):
        return from_file(Path(name))
    if name not in built_in():
        raise UnknownName(
            "sensitive attribute",
            name,
            built_in(),
            mend="Or name a file of your own: attribute=people.toml.",
            lister="evenhand ls attributes",
        )
    return built_in()[name]


def attribute_names() -> tuple[str, ...]:
    """The names of all built-in attributes: gender first, then in the order of the data file."""
    return tuple(built_in())


def from_file(path: Path) -> Attribute:
    """The attribute that a file describes.

    Raises:
        BadData: the file cannot be read, is no TOML, or has problems: all of them are listed, with their
            tables.
    """
    about, problems = checked_file(path)
    if about is None:
        raise BadData(f"{path} cannot be used: {listed(problems)}.", mend="Mend the file and run again.")
    return about


def checked_file(path: Path) -> tuple[Attribute | None, list[str]]:
    """The attribute of a file; or None, and everything that is wrong with the file.

    Raises:
        BadData: the file cannot be read, or is no TOML.
    """
    text = read_text(path, mend=f"Name a readable file, or one of {', '.join(attribute_names())}.")
    try:
        table = with_base(parse_toml(text))
    except ValueError as error:
        raise BadData(f"{path} is {error}.", mend="Mend the file and run again.") from None
    problems = [
        *_key_problems(table),
        *layout_problems(table),
        *_axis_problems(table),
        *_hint_problems(table),
    ]
    if not problems:  # words are looked at once the layout is right
        about = _made(table, "")
        problems = _word_problems(about, english=about.language == "en")
        problems += content_problems(about) if about.is_pack else []
    if problems:
        return None, problems
    return _made(table, hashlib.sha256(text.encode()).hexdigest()), []


def _made(table: Mapping[str, Any], digest: str) -> Attribute:
    defaults = {"title": table["name"], "source": "the user's own file"}
    return made(table["name"], {**defaults, **table}, built_in(), digest)


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
        found += _slot_problems("the frame", split_term(table["frame"])[0], SLOTS)
    if _texts(table.get("definitional")):
        found += _profession_problems(table)
    return found


def _profession_problems(table: Mapping[str, Any]) -> list[str]:
    own = table.get("professions")
    known = list(own) if isinstance(own, dict) else [entry.name for entry in profession_entries()]
    return [
        f"definitional has {n!r}, which is no profession{did_you_mean(n, known)}"
        for n in table["definitional"]
        if n not in known
    ]


def _unknown(key: str, known: Sequence[str], where: str = "") -> str:
    return f"{where}there is no key {key!r}{did_you_mean(key, known)}"


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text.strip() for text in value)


def _slot_problems(what: str, frame: str, needed: Sequence[str], allowed: Sequence[str] = ()) -> list[str]:
    """What is wrong with the slots of `what`, a frame with all `needed` slots and `allowed` ones."""
    try:
        there = [name for name, _ in slots(frame)]
    except ValueError as error:
        return [f"{what} has a brace that does not close or open a slot ({error})"]
    found = [f"{what} lacks {{{slot}}}" for slot in needed if slot not in there]
    for slot in dict.fromkeys(there):
        if slot == "hint" and slot not in needed:
            found.append(f"{what} has a {{hint}}, which states the group: write such sentences into [hints]")
        elif slot == "term":
            found.append(f"{what} has a slot {{term}} that is not {{term:KEY}} at the end of the key 'frame'")
        elif slot not in (*needed, *allowed):
            found.append(f"{what} has an unknown slot {{{slot}}}")
    return found


def _stated_problems(what: str, text: str, table: Mapping[str, Any]) -> list[str]:
    """What is wrong with the slots of a sentence that states a group: by a hint, or in a pack by a noun."""
    if "nouns" in table and _braces_match(text) and any(name == NOUN for name, _ in slots(text)):
        return _slot_problems(what, text, (NOUN,), ("profession", "hint"))
    return _slot_problems(what, text, ("profession", "hint"))


def _hint_problems(table: Mapping[str, Any]) -> list[str]:
    """What is wrong with the sentences that state a group."""
    hints, sentences = table.get("hints", {}), table.get("sentences", {})
    anchors = table.get("anchors", [])
    if not isinstance(hints, dict) or not isinstance(sentences, dict) or not _texts(anchors):
        return []  # `_key_problems` reports it
    found = []
    if "crosses" in table and (hints or sentences or anchors):
        found.append("'hints', 'sentences' and 'anchors' go with [[groups]], not with 'crosses'")
    for key, what, texts in (("hints", "hint", hints), ("sentences", "sentence", sentences)):
        for name, text in texts.items():
            if not _NAME.fullmatch(name):
                found.append(f"the name {name!r} in [{key}] may hold a-z, 0-9 and _ only")
            if isinstance(text, str) and text.strip():
                found += _stated_problems(f"the {what} {name!r}", text, table)
            else:
                found.append(f"the {what} {name!r} is {text!r}, not a text")
    for number, text in enumerate(anchors, start=1):
        found += _slot_problems(f"the anchor {number}", text, (*SLOTS, "hint"))
    return found


def _frames(table: Mapping[str, Any]) -> list[str]:
    """The sentences of a file that state a group, without those whose braces are wrong."""
    tables, anchors = [table.get(key) for key in ("hints", "sentences")], table.get("anchors", [])
    found = [text for one in tables if isinstance(one, dict) for text in one.values()]
    found += anchors if _texts(anchors) else []
    return [text for text in found if isinstance(text, str) and _braces_match(text)]


def _braces_match(frame: str) -> bool:
    try:
        slots(frame)
    except ValueError:
        return False
    return True


def _axis_problems(table: Mapping[str, Any]) -> list[str]:
    """What is wrong with the groups, or with those of each axis."""
    form = split_term(table["frame"])[1] if isinstance(table.get("frame"), str) else ""
    if "crosses" not in table:
        return _group_problems("groups", table.get("groups"), form, _frames(table))
    axes = [axis for axis in table["crosses"] if isinstance(axis, str)]
    found = ["'groups' and 'crosses' are both given: give one of them"] if "groups" in table else []
    if len(set(axes)) < 2 or len(set(axes)) < len(axes):
        found.append(f"crosses is {table['crosses']!r}, not two different axes or more")
    whole = [a for n, a in built_in().items() if n not in _NO_AXES and not a.is_pack]
    borrowed = [about.name for about in whole if not about.axes]
    for axis in dict.fromkeys(axes):
        if axis in table:
            found += _group_problems(axis, table[axis], form)
        elif form:
            found.append(f"the axis {axis!r} has no [[{axis}]] tables with the form {form!r} of the frame")
        elif axis not in borrowed:
            found.append(
                f"the axis {axis!r} has no [[{axis}]] tables, and is none of the built-in axes "
                f"{', '.join(borrowed)}"
            )
    return found


def _group_problems(key: str, groups: Any, form: str, frames: Sequence[str] = ()) -> list[str]:
    """What is wrong with the tables `key`; the frame asks for `form` ("" for none), `frames` insert forms."""
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        return [f"there are no [[{key}]] tables"]
    found = [f"there {'is one' if groups else 'is no'} [[{key}]] table, not two or more"] * (len(groups) < 2)
    names: list[str] = []
    for number, group in enumerate(groups, start=1):
        where = f"[[{key}]] {number}: "
        needed = ("name",) if form else ("name", "terms")
        found += [f"{where}the key {n!r} is missing" for n in needed if n not in group]
        found += [_unknown(name, GROUP_KEYS, where) for name in group if name not in GROUP_KEYS]
        name = group.get("name", "")
        if "name" in group and not (isinstance(name, str) and _NAME.fullmatch(name)):
            found.append(f"{where}name is {name!r}, which may hold a-z, 0-9 and _ only")
        elif name and name in names:
            found.append(f"{where}the name {name!r} is already that of [[{key}]] {names.index(name) + 1}")
        names.append(str(name))
        if "terms" in group and form:
            found.append(
                f"{where}both terms and the form {form!r}, which the frame takes, are given: give one of them"
            )
        elif "terms" in group and not (_texts(group["terms"]) and group["terms"]):
            found.append(f"{where}terms is {group['terms']!r}, not a list of texts")
        found += _form_problems(group, where, form, frames)
    return found


def _form_problems(group: Mapping[str, Any], where: str, form: str, frames: Sequence[str]) -> list[str]:
    """What is wrong with the forms of one group, and which forms that a sentence needs it lacks."""
    pronoun, forms = group.get(POSSESSIVE, "x"), group.get("forms", {})
    found = []
    if not isinstance(pronoun, str) or not pronoun.strip():
        found.append(f"{where}possessive is {pronoun!r}, not a word")
    if not isinstance(group.get(NOUN, ""), str):
        found.append(f"{where}{NOUN} is {group[NOUN]!r}, not a text")
    if not isinstance(forms, dict):
        return [*found, f"{where}forms is {forms!r}, not a table of texts"]
    for key, texts in forms.items():
        if not _NAME.fullmatch(key):
            found.append(f"{where}the form {key!r} may hold a-z, 0-9 and _ only")
        if not (_texts([texts]) or (_texts(texts) and texts)):
            found.append(f"{where}the form {key} is {texts!r}, not a text or a list of texts")
    if POSSESSIVE in forms and POSSESSIVE in group:
        found.append(f"{where}possessive is given twice: as a key, and among the forms")
    if found:
        return found
    there = forms_of(group)
    wanted = {"the frame": [form] if form else [], "a hint or an anchor": hint_forms(frames)}
    return [
        f"{where}{who} takes the form {key!r}, and the group {lacking(key, there)}"
        for who, keys in wanted.items()
        for key in keys
        if key not in there
    ]


def _word_problems(about: Attribute, *, english: bool) -> list[str]:
    """Terms that overlap, and sentences that reveal the answer; gendered words are known in English alone."""
    terms = [(term, group.name) for group in about.groups for term in group.terms]
    terms += [(term, "neutral") for term in about.neutral]
    found = _overlaps(terms)
    bare = fill(about.frame, dict.fromkeys(SLOTS, ""))
    before = re.findall(r"[\w-]+", bare.lower())
    sentence = f" {' '.join(before)} "
    if english and gender_of(bare):
        found.append("the frame has a gendered word, which would give away the answer")
    # A pack's own check names the terms in all of its sentences.
    said = [term for term, _ in terms if f"{term.lower()} " in sentence and not about.is_pack]
    found += [f"the frame has the term {term.strip()!r} in it" for term in said]
    vowels = {term[1].lower() in "aeiou" for term, _ in terms}
    if before[-1:] in (["a"], ["an"]) and len(vowels) > 1:
        found.append(
            f"the frame ends with {before[-1]!r}, which fits some terms only: put the article into the terms"
        )
    for sentence in (*(text for _, text in (*about.hints, *about.sentences)), *about.anchors):
        nothing = [(form, ("",)) for form in hint_forms([sentence])]
        if english and gender_of(fill(sentence, dict.fromkeys((*SLOTS, NOUN), ""), nothing)):
            found.append(f"the sentence {sentence!r} has a gendered word beside its hint")
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
