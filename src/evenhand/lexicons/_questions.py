"""Questions about capability from word lists: what professions are, a stated gender, gendered words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from evenhand.hashing import shuffle_key
from evenhand.lexicons._attribute_files import attribute
from evenhand.lexicons._attributes import Group
from evenhand.lexicons._professions import Profession, Reading, professions

SUBJECT_KINDS = ("place", "tool", "task", "name")
TEXT_KINDS = ("task", "name")  # asked as four texts after one opening; the others as one text after four
WRONG = 3  # wrong options of a question about a subject
LENGTHS = (0.8, 1.3)  # of the right text's length; so neither the shortest nor the longest is often right


@dataclass(frozen=True, slots=True)
class Question:
    """Sentences of which one is right: options after one opening, or one text after several openings.

    Attributes:
        id: stable name, unique in its set.
        about: what is asked about: a profession or a word.
        prompts: the openings, one for each option, without a trailing space.
        options: the continuations, each with its leading space.
        answer: index of the right sentence.
        slices: how the questions of the set divide, such as ``kind``.
    """

    id: str
    about: str
    prompts: tuple[str, ...]
    options: tuple[str, ...]
    answer: int
    slices: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a profession is.

    Attributes:
        name: the profession.
        field: its own field of work, such as ``medicine``.
        taken_for: every field that it could be taken for, with those near to them.
        answers: the right option of each of `SUBJECT_KINDS`, without a leading space.
    """

    name: str
    field: str
    fields: frozenset[str]
    taken_for: frozenset[str]
    answers: Mapping[str, str]

    def apart(self, other: Subject) -> bool:
        """Whether neither could be taken for the other, so that what is right about one is wrong about it."""
        return other.field not in self.taken_for and self.field not in other.taken_for


@cache
def data(name: str) -> Mapping[str, Any]:
    """The tables of one of the word lists, ``<name>.toml``."""
    return tomllib.loads(files("evenhand.lexicons").joinpath(f"{name}.toml").read_text("utf-8"))


@cache
def subjects() -> tuple[Subject, ...]:
    """What the 262 professions of the reading ``occupation`` are, sorted by name (ours)."""
    tables = data("subjects")
    joined = {pair for a, names in tables["near"].items() for b in names for pair in ((a, b), (b, a))}
    return tuple(_subject(name, row, joined) for name, row in tables["professions"].items())


def _subject(name: str, row: Sequence[str], near: set[tuple[str, str]]) -> Subject:
    fields = row[0].split()
    around = {other for field in fields for own, other in near if own == field}
    answers = dict(zip(SUBJECT_KINDS, (*row[1:], f"{article(name)} {name}"), strict=True))
    return Subject(name, fields[0], frozenset(fields), frozenset({*fields, *around}), answers)


def article(word: str) -> str:
    """``a`` or ``an``, by the first letter."""
    return "an" if word[0] in "aeiou" else "a"


@cache
def subject_questions() -> tuple[Question, ...]:
    """For each profession its place, its tools, its task, and the profession that has this task.

    Tasks and names are four texts after one opening, alike in length. Places and tools are likely or unlikely
    in themselves, whoever is found there; so one text follows four openings, and what makes it likely in
    itself is the same for all four. The index of the right one turns with the row.
    """
    asked = [(subject, kind) for subject in subjects() for kind in SUBJECT_KINDS]
    return tuple(_subject_question(row, *one) for row, one in enumerate(asked))


def _subject_question(row: int, subject: Subject, kind: str) -> Question:
    # One more with each profession, so that no kind has all its answers at one index.
    place = (row + row // len(SUBJECT_KINDS)) % (WRONG + 1)
    wrong = _wrong(subject, kind)
    people = (*wrong[:place], subject, *wrong[place:])
    opened, told = (
        ((subject,) * len(people), people) if kind in TEXT_KINDS else (people, (subject,) * len(people))
    )
    return Question(
        id=f"{subject.name}/{kind}",
        about=subject.name,
        prompts=tuple(_opening(one, kind) for one in opened),
        options=tuple(f" {one.answers[kind]}" for one in told),
        answer=place,
        slices={"kind": kind, "field": subject.field},
    )


def _opening(subject: Subject, kind: str) -> str:
    a, task = article(subject.name), subject.answers["task"]
    frame: str = data("subjects")["frames"][kind]
    return frame.format(a=a, A=a.capitalize(), profession=subject.name, task=task)


def _wrong(subject: Subject, kind: str) -> list[Subject]:
    """Professions of three fields drawn by a hash, each apart from `subject` and with no word of its.

    Where texts are compared, those whose text is nearly as long as the right one come first.
    """
    told, right = _words(subject, kind), len(subject.answers[kind])
    special = [other for other in subjects() if other.name not in data("subjects")["general"]]

    def order(other: Subject) -> tuple[float, str]:
        length = len(other.answers[kind]) if kind in TEXT_KINDS else right
        outside = max(0.0, LENGTHS[0] * right - length, length - LENGTHS[1] * right)
        return outside, shuffle_key(0, f"{subject.name}/{kind}/{other.name}")

    apart = [other for other in special if subject.apart(other) and not told & _words(other, kind)]
    found: dict[str, Subject] = {}
    for other in sorted(apart, key=order):
        found.setdefault(other.field, other)
    return list(found.values())[:WRONG]


def _words(subject: Subject, kind: str) -> frozenset[str]:
    """The words of its name, its task and its answer."""
    return _stems(f"{subject.name} {subject.answers['task']} {subject.answers[kind]}")


@cache
def _stems(text: str) -> frozenset[str]:
    """The beginnings of the long words, by which "teach" and "teacher" are alike."""
    return frozenset(word[:5] for word in re.findall(r"[a-z]{4,}", text.lower()))


@cache
def coreference_questions(each: int, reading: Reading) -> tuple[Question, ...]:
    """For each profession `each` of the frames that state a gender, in turn, each with both genders.

    The second person of a frame with two is of the profession half the list away, and of the other gender.
    `each` is at most `coreference_frames`.
    """
    people = professions(reading)
    frames = list(data("coreference")["frames"].items())
    return tuple(
        _coreference_question(people[row], people[(row + len(people) // 2) % len(people)], group, frame)
        for row in range(len(people))
        for frame in (frames[(row + turn * len(frames) // each) % len(frames)] for turn in range(each))
        for group in (0, 1)
    )


def coreference_frames() -> int:
    """How many frames there are."""
    return len(data("coreference")["frames"])


def _coreference_question(who: Profession, other: Profession, group: int, frame: tuple[str, str]) -> Question:
    gender, words = attribute("gender"), data("coreference")["words"]
    own, unlike = gender.groups[group], gender.groups[1 - group]
    filled = {"profession": who.name, "other": other.name, "other_noun": words[unlike.name]["noun"]}
    associated = who.stereotypical * (1 if own.name == "male" else -1)
    stereotype = "agrees" if associated > 0 else "opposes" if associated < 0 else "none"
    return Question(
        id=f"{who.name}/{frame[0]}/{own.name}",
        about=who.name,
        prompts=(own.fill(frame[1], **filled, **words[own.name]),) * len(gender.groups),
        options=tuple(one.terms[0] for one in gender.groups),
        answer=group,
        slices={"template": frame[0], "group": own.name, "stereotype": stereotype},
    )


@cache
def definitional_questions() -> tuple[Question, ...]:
    """Each word gendered by its meaning in each frame, with the pronouns of the frame's form as options."""
    tables, gender = data("definitional"), attribute("gender")
    return tuple(
        Question(
            id=f"{word}/{name}",
            about=word,
            prompts=(frame.format(start=start, word=word),) * len(gender.groups),
            options=tuple(f" {_pronoun(one, form)}" for one in gender.groups),
            answer=place,
            slices={"frame": name, "form": form, "group": group.name},
        )
        for place, group in enumerate(gender.groups)
        for start, words in tables["words"][group.name].items()
        for word in words
        for form, frames in tables["frames"].items()
        for name, frame in frames.items()
    )


def _pronoun(group: Group, form: str) -> str:
    if form == "nominative":
        return group.terms[0].strip()
    return str(group.possessive if form == "possessive" else data("definitional")[form][group.name])
