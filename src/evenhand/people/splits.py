"""The split of people into training, demonstration, development and test parts without common content.

A person's part depends on the content alone (everything in the prompt except the attribute), so that people
with equal content and counterfactual twins are in the same part; and on the seed of people, not on shots,
parity or the seed of prompts, so that the test people stay the same while the demonstrations vary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Literal

from evenhand.errors import BadOption
from evenhand.hashing import shuffle_key
from evenhand.people.population import Person

Part = Literal["train", "demonstrations", "dev", "test", "capability"]
SHARES: Mapping[Part, float] = {
    "train": 0.25,
    "demonstrations": 0.10,
    "dev": 0.10,
    "test": 0.25,
    "capability": 0.30,
}


def part_of(content: str, seed: int) -> Part:
    """The part of everybody with that content: a draw with the probabilities of `SHARES`."""
    place = int(shuffle_key(seed, f"part:{content}")[:13], 16) / 16**13
    return next(part for part, border in _borders() if place < border)


@cache
def _borders() -> tuple[tuple[Part, float], ...]:
    parts = tuple(SHARES)
    borders = [*accumulate(SHARES.values())][:-1]
    return tuple(zip(parts, [*borders, 1.0], strict=True))


def split(people: Sequence[Person], seed: int, test: str = "") -> dict[Part, tuple[Person, ...]]:
    """Each part's people in a random order, one for each content.

    `test` says how many people are tested: a share (``0.5``), a count (``1000``) or ``all``. Then all people
    of a tested content are tested. Where it is empty, the test part has its usual share, with one person of
    each content. A larger test part takes contents from every other part, and a smaller one gives none to
    them, so that no person moves between the other parts.

    Raises:
        BadOption: `test` is none of these.
    """
    ordered = sorted(people, key=lambda p: shuffle_key(seed, p.id))
    found: dict[Part, dict[str, Person]] = {part: {} for part in SHARES}
    for person in ordered:
        found[part_of(person.content, seed)].setdefault(person.content, person)
    parts = {part: tuple(kept.values()) for part, kept in found.items()}
    return _cut(parts, ordered, seed, count(test, len(people))) if test else parts


def count(test: str, people: int) -> int:
    """How many of that many people the option `test` asks for, at most all of them.

    Raises:
        BadOption: it is neither a share, a count nor ``all``.
    """
    if test == "all":
        return people
    try:
        wanted = float(test) * people if "." in test else int(test)
    except ValueError:
        wanted = 0
    if not 0 < wanted < math.inf or ("." in test and wanted > people):
        raise BadOption(
            f"test={test} is not a number of people to measure.",
            mend="Write a share such as test=0.5, a count such as test=1000, or test=all.",
        )
    return min(people, max(1, round(wanted)))


def _cut(
    parts: Mapping[Part, tuple[Person, ...]], people: Sequence[Person], seed: int, n: int
) -> dict[Part, tuple[Person, ...]]:
    """The parts with `n` people in the test part: of the usual contents first, then of every other part."""
    order = {
        person.content: (part != "test", shuffle_key(seed, f"test:{person.content}"))
        for part, there in parts.items()
        for person in there
    }
    tested = sorted(people, key=lambda person: order[person.content])[:n]
    chosen = {person.content for person in tested}
    cut = {part: tuple(p for p in there if p.content not in chosen) for part, there in parts.items()}
    return {**cut, "test": tuple(tested)}
