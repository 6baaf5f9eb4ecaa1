"""General-knowledge questions and plain sentences without any group, as tests of capability."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from evenhand.files import lines


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement to complete.

    Attributes:
        id: stable name, unique in its set.
        topic: what it is about, such as ``capitals``.
        prompt: the opening, without a trailing space.
        options: the continuations, each with its leading space.
        answer: index of the right one.
    """

    id: str
    topic: str
    prompt: str
    options: tuple[str, ...]
    answer: int


@cache
def world_facts() -> tuple[Fact, ...]:
    """General knowledge as four-option completions, in the order of the data file (ours).

    The right answer is first in the file; here its index rotates with the row (0, 1, 2, 3, 0, ...), so
    that no fixed index is better than chance.
    """
    text = files("evenhand.lexicons").joinpath("world_facts.toml").read_text("utf-8")
    facts: list[Fact] = []
    for topic, rows in tomllib.loads(text).items():
        for name, (prompt, right, *wrong) in rows.items():
            place = len(facts) % (len(wrong) + 1)
            options = [*wrong[:place], right, *wrong[place:]]
            facts.append(Fact(f"{topic}/{name}", topic, prompt, tuple(f" {text}" for text in options), place))
    return tuple(facts)


@cache
def decisions() -> tuple[tuple[str, str, str], ...]:
    """Decisions about a person as ``(topic, name, text)``, each text about a man, in the file's order
    (ours).
    """
    text = files("evenhand.lexicons").joinpath("decisions.toml").read_text("utf-8")
    return tuple(
        (topic, name, row) for topic, rows in tomllib.loads(text).items() for name, row in rows.items()
    )


@cache
def everyday() -> tuple[str, ...]:
    """Plain English sentences without gendered words, one a line of the data file (ours)."""
    return _sentences("everyday.txt")


@cache
def plain() -> tuple[str, ...]:
    """Plain English sentences that name no person, to tune on; none is among those of `everyday` (ours)."""
    return _sentences("plain.txt")


@cache
def people() -> tuple[str, ...]:
    """Plain English sentences with gendered words, in pairs about a woman and about a man (ours)."""
    return _sentences("people.txt")


def _sentences(name: str) -> tuple[str, ...]:
    """The lines of a data file that are neither blank nor comments."""
    text = files("evenhand.lexicons").joinpath(name).read_text("utf-8")
    return tuple(line for line in lines(text) if line and not line.startswith("#"))
