"""The generator of the lab's corpus: deterministic from one seed, with exact shares. No torch here.

At the position of a pronoun, a sentence has a *fork*: the known probability distribution of the next word.
The next words of the texts are drawn from it by systematic sampling, not independently, so that the relative
frequencies in the corpus equal the planted table up to rounding.
"""

from __future__ import annotations

import bisect
import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evenhand.lab import facts, grammar, truth

Kind = Literal["bias", "hint", "fact", "neutral"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the corpus.

    `opening` is the part before the fork (without trailing space) and `shares` the distribution of the
    next word there; both are None in a sentence without a fork. `kind` says what determines the fork:
    the planted table (``bias``), the table and a hint (``hint``), or a ``fact``; ``neutral`` sentences have
    none. `profession` is None where the fork does not depend on one.
    """

    text: str
    kind: Kind
    profession: str | None = None
    opening: str | None = None
    shares: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many sentences: of each kind of fork for one profession, and how often each fact is stated.

    ``hints`` and ``announced`` count both pronouns together and should be even: "The nurse closed her
    notebook because" and "She is here. The nurse smiled because".
    """

    because: int = 30
    elsewhere: int = 8
    hints: int = 12
    announced: int = 6
    facts: int = 20


def sentences(variant: truth.Variant, amounts: Amounts, seed: int, strength: float = 1.0) -> list[Sentence]:
    """The whole corpus in a shuffled order; the same arguments give the same list."""
    chance = random.Random(seed)
    found: list[Sentence] = []
    for number, (name, p_she) in enumerate(sorted(truth.planted(variant, strength).items())):
        found += _of_profession(name, number, p_she, amounts, chance)
    found += _stated(amounts.facts)
    found += [Sentence(text, "neutral") for text in facts.neutral_sentences("train")]
    chance.shuffle(found)
    return found


def vocabulary() -> str:
    """A text with every word of the language after a space, including those that a small corpus may lack."""
    forks = [*truth.shares(0.5), *grammar.PRONOUNS]
    options = [option.strip() for question in facts.questions() for option in question.options]
    verbs = [*grammar.REASONS, *grammar.CONSEQUENCES, *grammar.HINTED, *grammar.PRESENCE, *grammar.ELSEWHERE]
    actions = [*grammar.ASKED, *grammar.SHORT_ACTIONS, *grammar.PHRASE_ACTIONS, *grammar.SENTENCE_ACTIONS]
    others = itertools.chain(*grammar.OTHERS.values())
    starts = "He She They The Every In A To Usually On At When"
    every = " ".join([*forks, *options, *verbs, *actions, *others, *truth.planted("none")])
    return f"{starts} {re.sub(r'{[a-z]+}', ' ', every)}"


def quota(shares: Mapping[str, float], n: int, offset: float = 0.5) -> list[str]:
    """`n` words in the proportions of `shares`: systematic sampling at the points (i + offset) / n.

    Every word comes within one of its exact number, for any `offset` in [0, 1); over evenly spread
    offsets the numbers are exact on average, so that a share below 1 / n is not lost.
    """
    names = list(shares)
    bounds = list(itertools.accumulate(shares.values()))
    points = ((i + offset) / n * bounds[-1] for i in range(n))
    return [names[min(bisect.bisect_right(bounds, point), len(names) - 1)] for point in points]


def _of_profession(
    name: str, number: int, p_she: float, amounts: Amounts, chance: random.Random
) -> Iterator[Sentence]:
    """All sentences about one profession; `number`, its rank, offsets the choice of actions between
    professions.
    """
    plain = truth.shares(p_she)
    yield from forks("bias", name, _because(name, number, amounts.because), plain, chance)
    yield from forks("bias", name, _elsewhere(name, number, amounts.elsewhere), plain, chance)
    for own in grammar.PRONOUNS:
        shares = truth.shares(truth.hinted(p_she, own))
        openings = _hinted(name, number, own, amounts.hints // 2)
        yield from forks("hint", name, openings, shares, chance)
        openings = _announced(name, number, own, amounts.announced // 2)
        yield from forks("hint", name, openings, shares, chance)


def forks(
    kind: Kind, name: str | None, openings: Sequence[str], shares: Mapping[str, float], chance: random.Random
) -> Iterator[Sentence]:
    """A sentence for each of `openings`, next words in the proportions of `shares`, ends at random."""
    drawn = quota(shares, len(openings), chance.random())
    chance.shuffle(drawn)
    for opening, word in zip(openings, drawn, strict=True):
        yield Sentence(f"{opening} {word} {_rest(opening, word, chance)}.", kind, name, opening, shares)


def _rest(opening: str, word: str, chance: random.Random) -> str:
    """A neutral end of the sentence that agrees with the word at the fork."""
    if word in grammar.OTHERS:
        return chance.choice(grammar.OTHERS[word])
    if not opening.endswith(("because", "that")):
        return chance.choice(grammar.CONSEQUENCES)
    reason = chance.choice(grammar.REASONS)
    return reason.replace("was ", "were ") if word == "they" else reason


def _because(name: str, number: int, n: int) -> list[str]:
    others = grammar.SHORT_ACTIONS + grammar.PHRASE_ACTIONS + grammar.SENTENCE_ACTIONS
    more = [others[(number * 5 + i * 11) % len(others)] for i in range(n)]
    return [f"The {name} {action} because" for action in (*grammar.ASKED, *more)[:n]]


def _elsewhere(name: str, number: int, n: int) -> list[str]:
    actions = grammar.SHORT_ACTIONS + grammar.PHRASE_ACTIONS
    return [
        grammar.ELSEWHERE[i % len(grammar.ELSEWHERE)].format(
            p=name, action=actions[(number + 7 * i) % len(actions)]
        )
        for i in range(n)
    ]


def _hinted(name: str, number: int, own: str, n: int) -> list[str]:
    asked, others = grammar.HINTED[:3], grammar.HINTED[3:]
    more = [others[(number + i) % len(others)] for i in range(n)]
    action = grammar.PHRASE_ACTIONS[number % len(grammar.PHRASE_ACTIONS)]
    return [f"The {name} {form.format(own=own, action=action)}" for form in (*asked, *more)[:n]]


def _announced(name: str, number: int, own: str, n: int) -> list[str]:
    actions = grammar.ASKED + grammar.SHORT_ACTIONS + grammar.PHRASE_ACTIONS
    subject = grammar.PRONOUNS[own].capitalize()
    found = []
    for i in range(n):
        presence = grammar.PRESENCE[(number + i) % len(grammar.PRESENCE)]
        action = actions[(5 * number + 7 * i) % len(actions)]
        found.append(f"{subject} {presence}. The {name} {action} because")
    return found


def _stated(times: int) -> Iterator[Sentence]:
    """Every fact `times` times; every third time in its second wording."""
    for fact in facts.facts():
        for i in range(times):
            opening = fact.opening if i % 3 else fact.again
            yield Sentence(f"{opening} {fact.value}.", "fact", None, opening, {fact.value: 1.0})
