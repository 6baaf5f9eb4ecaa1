"""Who is trained on, shown as a demonstration, and tested: parts without a person or a content in common.

A person's part follows from the content alone (all that the prompt says but for the attribute), so that
people who read alike, and anybody's counterfactual twin, lie in the same part; and from the seed of people,
not from shots, parity or the seed of prompts, so that the test people stay while the demonstrations vary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Literal

from evenhand.decisions.people import Person

Part = Literal["train", "demonstrations", "dev", "test", "capability"]
SHARES: Mapping[Part, float] = {
    "train": 0.25,
    "demonstrations": 0.10,
    "dev": 0.10,
    "test": 0.25,
    "capability": 0.30,
}


def shuffle_key(seed: int, text: str) -> str:
    """A sort key that orders texts at random, the same on every machine, for one `seed`."""
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def part_of(content: str, seed: int) -> Part:
    """The part of everybody with that content: a draw with the probabilities of `SHARES`."""
    place = int(shuffle_key(seed, f"part:{content}")[:13], 16) / 16**13
    return next(part for part, border in _borders() if place < border)


@cache
def _borders() -> tuple[tuple[Part, float], ...]:
    parts = tuple(SHARES)
    borders = [*accumulate(SHARES.values())][:-1]
    return tuple(zip(parts, [*borders, 1.0], strict=True))


def split(people: Sequence[Person], seed: int) -> dict[Part, tuple[Person, ...]]:
    """Each part's people in a random order, one for each content, so that nobody is counted twice."""
    found: dict[Part, dict[str, Person]] = {part: {} for part in SHARES}
    for person in sorted(people, key=lambda p: shuffle_key(seed, p.id)):
        found[part_of(person.content, seed)].setdefault(person.content, person)
    return {part: tuple(kept.values()) for part, kept in found.items()}
