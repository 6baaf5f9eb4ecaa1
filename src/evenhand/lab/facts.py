"""The lab's capability data: facts about invented places and things, and neutral text. No torch here."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from evenhand.lab import grammar
from evenhand.lexicons import professions

_SEED = 2024


@dataclass(frozen=True, slots=True)
class Question:
    """One multiple-choice question: `prompt` ends without a space, each option starts with one.

    `answer` is the index of the right option; `topic` is the kind of fact.
    """

    id: str
    prompt: str
    options: tuple[str, ...]
    answer: int
    topic: str


@dataclass(frozen=True, slots=True)
class Fact:
    """`opening` + " " + `value` states it; `again` is a second wording, which also ends in `value`."""

    topic: str
    opening: str
    again: str
    value: str


@cache
def facts() -> tuple[Fact, ...]:
    """All planted facts: four topics of eighty, the same in every variant of the lab."""
    chance = random.Random(_SEED)
    places, capitals, things = (
        _names(*parts) for parts in (grammar.PLACE_PARTS, grammar.CAPITAL_PARTS, grammar.OBJECT_PARTS)
    )
    chance.shuffle(capitals)
    capital = zip(places, capitals, strict=True)
    return (
        *(
            Fact("capital", f"The capital of {a} is", f"The people of {a} are ruled from", b)
            for a, b in capital
        ),
        *_about(
            "crop", places, grammar.CROPS, ("The farmers of {} grow", "The fields of {} are full of"), chance
        ),
        *_about("colour", things, grammar.COLOURS, ("The colour of a {} is", "Every {} is painted"), chance),
        *_about("material", things, grammar.MATERIALS, ("A {} is made of", "To make a {} you need"), chance),
    )


def _names(first: tuple[str, ...], second: tuple[str, ...]) -> list[str]:
    return [a + b for a in first for b in second]


def _about(
    topic: str, subjects: list[str], values: tuple[str, ...], forms: tuple[str, str], chance: random.Random
) -> Iterator[Fact]:
    """One fact a subject, the values equally often, in random order, so that names do not predict them."""
    deck = [values[i % len(values)] for i in range(len(subjects))]
    chance.shuffle(deck)
    for subject, value in zip(subjects, deck, strict=True):
        yield Fact(topic, forms[0].format(subject), forms[1].format(subject), value)


@cache
def questions() -> tuple[Question, ...]:
    """A question with four options for every fact; the wrong ones are values of other facts of its topic."""
    return asked_about(facts(), "fact-{:03d}", _SEED + 1)


def asked_about(known: Sequence[Fact], name: str, seed: int) -> tuple[Question, ...]:
    """A question for each of the `known` facts, with the id ``name.format(number)``; the other options are
    three values of other facts of its topic, drawn and shuffled under `seed`.
    """
    chance = random.Random(seed)
    by_topic: dict[str, set[str]] = {}
    for fact in known:
        by_topic.setdefault(fact.topic, set()).add(fact.value)
    found = []
    for number, fact in enumerate(known):
        options = [fact.value, *chance.sample(sorted(by_topic[fact.topic] - {fact.value}), 3)]
        chance.shuffle(options)
        shown = tuple(f" {option}" for option in options)
        found.append(
            Question(name.format(number), fact.opening, shown, options.index(fact.value), fact.topic)
        )
    return tuple(found)


def neutral_sentences(part: Literal["train", "held-out"]) -> list[str]:
    """Sentences without a gendered word: 600 ``held-out`` ones, or 3600 to ``train`` on, which share none."""
    every = sorted(set(_neutral()))
    random.Random(_SEED + 2).shuffle(every)
    return every[:600] if part == "held-out" else every[600:4200]


def _neutral() -> Iterator[str]:
    for thing in grammar.THINGS:
        for quality in grammar.QUALITIES:
            yield from (f"The {thing} was {quality} {time}." for time in grammar.TIMES)
            yield from (
                f"The {thing} by the {other} is {quality}." for other in grammar.THINGS if other != thing
            )
    for number, profession in enumerate(professions()):
        actions = (*grammar.ASKED, *grammar.SHORT_ACTIONS, *grammar.PHRASE_ACTIONS)
        for step in range(9):
            action = actions[(number + 7 * step) % len(actions)]
            yield f"The {profession.name} {action} {grammar.TIMES[step % 8]}."


def neutral_text() -> str:
    """A held-out text of 600 sentences, one a line, without a gendered word, for perplexity."""
    return "\n".join(neutral_sentences("held-out"))
