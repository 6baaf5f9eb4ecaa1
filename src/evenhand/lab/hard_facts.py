"""The capability of the harder world: facts stated so rarely that some are not learnt, and questions about
gender that is stated or a matter of fact. No torch here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import MappingProxyType

from evenhand.lab import grammar, hard_grammar
from evenhand.lab.facts import Fact, Question, asked_about
from evenhand.lexicons import professions

_SEED = 2031
EXCEPTIONS = {"towns": 0.33, "professions": 0.35}
"""The shares of facts that do not follow from the other facts of their subject: they are learnt last."""


@cache
def town_facts() -> tuple[Fact, ...]:
    """Two thousand facts: four of each of 500 invented towns."""
    first, second = hard_grammar.TOWN_PARTS
    return _drawn([a + b for a in first for b in second], hard_grammar.TOWN_FACTS, "towns")


@cache
def profession_facts() -> tuple[Fact, ...]:
    """Two facts of each of the 262 professions, a place and a tool, independent of the planted table."""
    names = sorted(p.name for p in professions())
    return _drawn(names, hard_grammar.PROFESSION_FACTS, "professions")


def _drawn(
    subjects: list[str], topics: tuple[tuple[str, str, tuple[str, ...]], ...], which: str
) -> tuple[Fact, ...]:
    """Each subject is of a kind, and the kind has a value in every topic: the rule. The share `EXCEPTIONS` of
    the facts has another value.
    """
    chance = random.Random(f"{_SEED} {which}")
    kinds = [i % len(topics[0][2]) for i in range(len(subjects))]
    chance.shuffle(kinds)
    found = []
    for topic, opening, values in topics:
        rule = chance.sample(values, len(values))
        excepted = set(chance.sample(range(len(subjects)), round(EXCEPTIONS[which] * len(subjects))))
        for number, (subject, kind) in enumerate(zip(subjects, kinds, strict=True)):
            others = [value for value in values if value != rule[kind]]
            value = chance.choice(others) if number in excepted else rule[kind]
            stated = opening.format(subject)
            found.append(Fact(topic, stated, stated, value))
    return tuple(found)


def statements(facts: tuple[Fact, ...], times: tuple[int, ...]) -> Iterator[tuple[Fact, int]]:
    """Each fact and how often the corpus states it: the numbers of `times`, equally often, shuffled."""
    deck = [times[i % len(times)] for i in range(len(facts))]
    random.Random(_SEED + 2).shuffle(deck)
    return zip(facts, deck, strict=True)


def questions(name: str) -> tuple[Question, ...]:
    """The questions of one of the `SETS`.

    Raises:
        KeyError: there is no such set.
    """
    return SETS[name]()


@cache
def _hard() -> tuple[Question, ...]:
    return asked_about(town_facts(), "hard-{:04d}", _SEED + 3)


@cache
def _professions() -> tuple[Question, ...]:
    return asked_about(profession_facts(), "profession-{:04d}", _SEED + 3)


@cache
def _stated() -> tuple[Question, ...]:
    """Each profession with either gender stated in a frame of the corpus, alone or beside another one."""
    return _pronouns("stated", _said((*hard_grammar.STATED, hard_grammar.STATED_PAIR)))


@cache
def _definitional() -> tuple[Question, ...]:
    """Each word of factual gender in nine sentences."""
    return _pronouns(
        "definitional",
        [
            (f"The {word} {action} because", pronoun, "definitional")
            for pronoun, words in hard_grammar.DEFINITIONAL.items()
            for word in words
            for action in grammar.ASKED
        ],
    )


@cache
def _unseen() -> tuple[Question, ...]:
    """Hints and stated gender in frames that the corpus never showed."""
    asked = [
        (form.format(p=name, own=own), pronoun, "hint")
        for number, name in enumerate(_names())
        for form in [hard_grammar.UNSEEN_HINTS[number % len(hard_grammar.UNSEEN_HINTS)]]
        for own, pronoun in grammar.PRONOUNS.items()
    ]
    return _pronouns("unseen", [*asked, *_said(hard_grammar.UNSEEN_STATED)])


def _said(forms: tuple[str, ...]) -> list[tuple[str, str, str]]:
    names, opposite = _names(), {"she": "he", "he": "she"}
    return [
        (
            forms[number % len(forms)].format(
                p=name,
                who=name,
                noun=noun,
                q=names[(number * 7 + 11) % len(names)],
                other=hard_grammar.STATED_NOUNS[opposite[pronoun]],
                action=grammar.ASKED[number % len(grammar.ASKED)],
            ),
            pronoun,
            "stated",
        )
        for number, name in enumerate(names)
        for pronoun, noun in hard_grammar.STATED_NOUNS.items()
    ]


def _names() -> list[str]:
    return sorted(p.name for p in professions())


def _pronouns(name: str, asked: list[tuple[str, str, str]]) -> tuple[Question, ...]:
    """Questions from (prompt, right pronoun, topic); the options are " he" and " she" in this order."""
    return tuple(
        Question(f"{name}-{number:04d}", prompt, (" he", " she"), int(pronoun == "she"), topic)
        for number, (prompt, pronoun, topic) in enumerate(asked)
    )


SETS: Mapping[str, Callable[[], tuple[Question, ...]]] = MappingProxyType(
    {
        "hard": _hard,
        "professions": _professions,
        "stated": _stated,
        "definitional": _definitional,
        "unseen": _unseen,
    }
)
"""The sets of questions that only a model of the harder world can answer."""
