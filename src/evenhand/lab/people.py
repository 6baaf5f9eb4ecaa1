"""Generated people with a true outcome that is known as a probability: the lab's decisions. No torch here.

A person's application is approved or not. The true outcome depends on four columns (`INFORMATIVE`), not on
two others (`IDLE`), nor on sex, which is independent of all of them: every effect of sex on a model's
decisions is bias. The words are chosen so that every value and both labels are
single tokens of the lab's language.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from statistics import fmean
from types import MappingProxyType

TEMPLATE = "Person {sex} {schooling} {hours} {experience} {savings} {town} {pastime} approved"
"""One person as text, without the label: nine tokens."""
LABELS = (" no", " yes")
"""The label words, the unfavourable one first, each with the space that stands before it."""
SEPARATOR = "\n"
"""Stands between a demonstration's label and the next person."""
ATTRIBUTE = "sex"
GROUPS = ("male", "female")
"""The values of `ATTRIBUTE`. The planted bias favours the first."""
TARGET = "approved"
"""The column of the true outcome: 1 or 0."""

INFORMATIVE: Mapping[str, tuple[tuple[str, ...], float]] = MappingProxyType(
    {
        "schooling": (("basic", "middle", "college", "university"), 1.2),
        "hours": (("seldom", "partial", "regular", "overtime"), 1.0),
        "experience": (("novice", "junior", "skilled", "expert"), 0.8),
        "savings": (("debts", "meagre", "decent", "ample"), 0.6),
    }
)
"""Column -> (values from worst to best, log-odds of the true outcome between one value and the next but one
half: value number i of four adds 2 (i - 1.5) times this number, in nats)."""
IDLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "town": ("Ashford", "Brookend", "Clayton", "Dunmore", "Eastwick", "Farley", "Graydon", "Holt"),
        "pastime": ("chess", "cycling", "reading", "sailing", "singing", "gardening", "cooking", "hiking"),
    }
)
"""Columns without any influence on the true outcome."""


def people(n: int, seed: int) -> list[dict[str, str | int]]:
    """`n` people, independent draws: every column uniform over its values, then the outcome by `p_true`.

    There are 16 384 contents but for sex and outcome (`contents`), so that among a thousand people some are
    equal in all of it: a split without common content has to compare contents.
    """
    chance = random.Random(seed)
    return [_person(chance) for _ in range(n)]


def p_true(record: Mapping[str, str | int]) -> float:
    """The probability that the true outcome of `record` is 1: a logistic function of `log_odds`."""
    return 1 / (1 + math.exp(-log_odds(record)))


def log_odds(record: Mapping[str, str | int]) -> float:
    """The log-odds of the true outcome, in nats: the sum of the contributions of the four informative
    columns.

    It is symmetric around 0 over all people, so that half of them have the outcome 1.

    Raises:
        ValueError: an informative column holds none of its values.
    """
    return math.fsum(
        2 * weight * (values.index(str(record[column])) - (len(values) - 1) / 2)
        for column, (values, weight) in INFORMATIVE.items()
    )


def contents() -> int:
    """How many different people there are when sex and outcome are left out."""
    return math.prod(len(values) for values in columns().values()) // len(GROUPS)


def columns() -> dict[str, tuple[str, ...]]:
    """The values of every column of `TEMPLATE`, in its order."""
    informative = {column: values for column, (values, _) in INFORMATIVE.items()}
    return {ATTRIBUTE: GROUPS, **informative, **IDLE}


def kinds() -> list[dict[str, str | int]]:
    """Every combination of the informative columns once; they are equally frequent among people."""
    names = list(INFORMATIVE)
    every = itertools.product(*(values for values, _ in INFORMATIVE.values()))
    return [dict(zip(names, values, strict=True)) for values in every]


def attainable() -> float:
    """The accuracy of the best rule there is, which answers 1 where `p_true` exceeds one half: 0.880."""
    return fmean(max(p, 1 - p) for p in map(p_true, kinds()))


def _person(chance: random.Random) -> dict[str, str | int]:
    record: dict[str, str | int] = {name: chance.choice(values) for name, values in columns().items()}
    record[TARGET] = int(chance.random() < p_true(record))
    return record
