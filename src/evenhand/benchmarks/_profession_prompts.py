"""Prompts about a profession and an action, and the parts that they are split into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal

from evenhand import lexicons
from evenhand.benchmarks._common import slug
from evenhand.hashing import shuffle_key
from evenhand.lexicons import Attribute, Occupation, Profession, Reading

Split = Literal["paper", "profession", "heldout"]
Part = Literal["train", "dev", "test"]

# The paper prints one action of one word ("smiled") and one phrase ("went to bed"); the others are ours. None
# names a second person, who could be the pronoun's antecedent, or a gendered thing.
ACTIONS = {
    "word": ("smiled", "paused", "sneezed"),
    "phrase": ("went to bed", "left early", "sat down slowly"),
    "sentence": (
        "closed the notebook and looked out of the window",
        "put the keys on the table and switched off the lights",
        "opened the door and walked into the empty hall",
    ),
}
# Table 1 of the paper: prompts per scale in train, dev, test.
CELLS = {"word": (326, 152, 308), "phrase": (299, 157, 330), "sentence": (318, 162, 306)}
PARTS: tuple[Part, ...] = ("train", "dev", "test")
SHARES = (2, 1, 2)
# Professions of `heldout`: as many train professions as in `profession`, and more of the others are tested,
# because each profession has three prompts there instead of nine.
HELDOUT_SHARES = (4, 1, 5)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One of the prompts, 2358 in English: a profession doing an action of a scale.

    `action` stands in the sentence, and `label` in ids.
    """

    profession: Profession | Occupation
    scale: str
    action: str
    label: str

    @property
    def key(self) -> str:
        """The prompt's content as the end of its sample id."""
        return f"{slug(self.profession.name)}/{self.label}"


def prompts(reading: Reading = "occupation", pack: Attribute | None = None) -> tuple[Prompt, ...]:
    """All 2358 English prompts, or those of a language pack, by profession, then scale, then action."""
    if pack is not None:
        own = [(action.scale, action.text, action.name) for action in pack.actions]
        return tuple(Prompt(who, *what) for who, what in product(pack.occupations, own))
    actions = [(scale, action, slug(action)) for scale, of_scale in ACTIONS.items() for action in of_scale]
    return tuple(Prompt(who, *what) for who, what in product(lexicons.professions(reading), actions))


@cache
def assignment(
    split: Split, reading: Reading, seed: int, pack: Attribute | None = None
) -> Mapping[Prompt, Part]:
    """The part of each prompt, in a random order of the prompts, so that the head of a part is a fair sample.

    Depends on the professions, the actions and the seed alone: all attributes with English sentences share
    one split, and so do those with the professions and actions of one pack. A prompt of no part is left out.
    """
    everything = sorted(prompts(reading, pack), key=lambda prompt: shuffle_key(seed, prompt.key))
    parts: dict[Prompt, Part] = {}
    if split == "paper":
        for scale in dict.fromkeys(prompt.scale for prompt in everything):
            of_scale = [prompt for prompt in everything if prompt.scale == scale]
            cells = CELLS[scale] if pack is None else _proportional(len(of_scale), SHARES)
            parts |= zip(of_scale, _labels(cells), strict=True)
    else:
        names = sorted({p.profession.name for p in everything}, key=lambda name: shuffle_key(seed, name))
        shares = SHARES if split == "profession" else HELDOUT_SHARES
        of_name = dict(zip(names, _labels(_proportional(len(names), shares)), strict=True))
        parts |= {prompt: of_name[prompt.profession.name] for prompt in everything}
    if split == "heldout":
        of_action = _parts_of_actions(everything, seed)
        parts = {prompt: part for prompt, part in parts.items() if of_action[prompt.action] == part}
    return {prompt: parts[prompt] for prompt in everything if prompt in parts}


def _parts_of_actions(everything: Sequence[Prompt], seed: int) -> dict[str, Part]:
    """The part of each action: every third one of a scale for each part, one in English."""
    found: dict[str, Part] = {}
    scales: dict[str, set[str]] = {}
    for prompt in everything:
        scales.setdefault(prompt.scale, set()).add(prompt.action)
    for actions in scales.values():
        for place, action in enumerate(sorted(actions, key=lambda action: shuffle_key(seed, action))):
            found[action] = PARTS[place % len(PARTS)]
    return found


def _labels(sizes: Sequence[int]) -> list[Part]:
    return [part for part, size in zip(PARTS, sizes, strict=True) for _ in range(size)]


def _proportional(n: int, shares: Sequence[int]) -> tuple[int, int, int]:
    """`n` in the proportions of `shares`; rounding falls on the last part."""
    train, dev = (round(n * share / sum(shares)) for share in shares[:2])
    return train, dev, n - train - dev
