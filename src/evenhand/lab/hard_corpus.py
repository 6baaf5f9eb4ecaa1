"""The corpus of the harder world: what `evenhand.lab.corpus` says, and what makes mitigation hard.

Gender is needed to answer (stated gender, words of factual gender), facts are stated so rarely that they are
known in part, every profession has facts of its own, and a hobby stands in for the gender. No torch here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evenhand.lab import corpus, facts, grammar, hard_facts, hard_grammar, truth
from evenhand.lab.corpus import Amounts, Sentence


@dataclass(frozen=True, slots=True)
class Extras:
    """How many sentences more: of each profession with its gender ``stated`` (an even number), of it beside
    another one (``paired``, even), with a ``hobby`` before a fork, and with a hobby and no fork (``likes``);
    of each word of factual gender (``definitional``) and each hobby of someone unknown (``alone``).

    ``towns`` and ``trades`` are how often a fact of a town or a profession is stated: each number for an
    equal share of the facts. ``neutral`` is the number of neutral sentences.
    """

    stated: int = 2
    paired: int = 4
    hobby: int = 4
    likes: int = 2
    definitional: int = 12
    alone: int = 20
    towns: tuple[int, ...] = (4, 6, 10, 12)
    trades: tuple[int, ...] = (5, 7, 8, 10)
    neutral: int = 1000


def sentences(
    variant: truth.Variant, amounts: Amounts, extras: Extras, seed: int, strength: float = 1.0
) -> list[Sentence]:
    """The whole corpus in a shuffled order; the same arguments give the same list."""
    chance = random.Random(seed)
    plain = corpus.sentences(variant, amounts, seed, strength)
    found = [s for s in plain if s.kind != "neutral"]
    found += [s for s in plain if s.kind == "neutral"][: extras.neutral]
    table, odds = sorted(truth.planted(variant, strength).items()), truth.hobby_odds(variant)
    for number, (name, p_she) in enumerate(table):
        other = table[(number * 7 + 11) % len(table)][0]
        found += _gender_stated(name, other if other != name else table[number - 1][0], p_she, extras, chance)
        found += _with_hobby(name, number, p_she, extras, chance, odds=odds)
    found += _definitional(extras.definitional, chance)
    found += _someone(odds, extras.alone, chance)
    found += _stated(hard_facts.statements(hard_facts.town_facts(), extras.towns))
    found += _stated(hard_facts.statements(hard_facts.profession_facts(), extras.trades))
    chance.shuffle(found)
    return found


def texts() -> Iterator[str]:
    """Every word of the harder world after a space, and the held-out neutral text."""
    yield corpus.vocabulary()
    yield facts.neutral_text()
    for name in hard_facts.SETS:
        for question in hard_facts.questions(name):
            yield f"{question.prompt}{' '.join(question.options)}"
    for hobbies in hard_grammar.HOBBIES.values():
        yield "Someone who likes " + " ".join(hobbies)


def _action(chance: random.Random) -> str:
    return chance.choice(grammar.ASKED + grammar.SHORT_ACTIONS + grammar.PHRASE_ACTIONS)


def _gender_stated(
    name: str, other: str, p_she: float, extras: Extras, chance: random.Random
) -> Iterator[Sentence]:
    """`other` is another profession, whose person has the other gender."""
    opposite = {"she": "he", "he": "she"}
    for pronoun, own in (("he", "his"), ("she", "her")):
        noun, others = (hard_grammar.STATED_NOUNS[word] for word in (pronoun, opposite[pronoun]))
        openings = [
            hard_grammar.STATED[i % len(hard_grammar.STATED)].format(
                p=name, noun=noun, action=_action(chance)
            )
            for i in range(extras.stated // 2)
        ]
        for i in range(extras.paired // 2):
            first, second = ((name, noun), (other, others))[:: 1 if (i + (own == "her")) % 2 else -1]
            openings.append(
                hard_grammar.STATED_PAIR.format(
                    p=first[0], noun=first[1], q=second[0], other=second[1], who=name, action=_action(chance)
                )
            )
        yield from corpus.forks("hint", name, openings, truth.shares(truth.hinted(p_she, own)), chance)


def _with_hobby(
    name: str, number: int, p_she: float, extras: Extras, chance: random.Random, *, odds: float
) -> Iterator[Sentence]:
    """A hobby multiplies the odds of its pronoun by `odds`; most people of a profession have one of its
    side.
    """
    for side, (pronoun, hobbies) in enumerate(hard_grammar.HOBBIES.items()):
        openings = [
            hard_grammar.HOBBY_OF.format(
                p=name, hobby=hobbies[(number + i) % len(hobbies)], action=_action(chance)
            )
            for i in range((extras.hobby + side) // 2)
        ]
        p = truth.with_odds(p_she, odds if pronoun == "she" else 1 / odds)
        yield from corpus.forks("bias", name, openings, truth.shares(p), chance)
    share = truth.OWN_HOBBY if truth.planted()[name] > 0.5 else 1 - truth.OWN_HOBBY
    sides = corpus.quota({"she": share, "he": 1 - share}, extras.likes, chance.random())
    for side_of in sides:
        hobby = chance.choice(hard_grammar.HOBBIES[side_of])
        yield Sentence(hard_grammar.HOBBY_SAID.format(p=name, hobby=hobby), "neutral")


def _definitional(times: int, chance: random.Random) -> Iterator[Sentence]:
    for pronoun, words in hard_grammar.DEFINITIONAL.items():
        p_she = truth.FACTUAL if pronoun == "she" else 1 - truth.FACTUAL
        for word in words:
            actions = (*grammar.ASKED[: times // 4], *(_action(chance) for _ in range(times)))[:times]
            openings = [f"The {word} {action} because" for action in actions]
            yield from corpus.forks("fact", None, openings, truth.shares(p_she), chance)


def _someone(odds: float, times: int, chance: random.Random) -> Iterator[Sentence]:
    for pronoun, hobbies in hard_grammar.HOBBIES.items():
        p = truth.with_odds(0.5, odds if pronoun == "she" else 1 / odds)
        for hobby in hobbies:
            openings = [
                hard_grammar.HOBBY_ALONE.format(hobby=hobby, action=_action(chance)) for _ in range(times)
            ]
            yield from corpus.forks("bias", None, openings, truth.shares(p), chance)


def _stated(known: Iterator[tuple[facts.Fact, int]]) -> Iterator[Sentence]:
    for fact, times in known:
        stated = Sentence(f"{fact.opening} {fact.value}.", "fact", None, fact.opening, {fact.value: 1.0})
        yield from [stated] * times


def share_with_pronoun(found: Sequence[Sentence]) -> float:
    """The share of sentences with "he", "she", "his" or "her"."""
    words = {"he", "she", "his", "her"}
    return sum(bool(words & set(s.text.lower().replace(",", "").split())) for s in found) / len(found)
