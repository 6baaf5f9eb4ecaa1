"""What is planted in `lab:decisions`: the probability of every answer, given all that its prompt holds.

A decision adds up two things, in log-odds: what the person's columns say (`evenhand.lab.people.log_odds`) and
a lean, which the first sex gains and the second loses. The lean starts from a prejudice and moves with the
demonstrations, as a mean over `PRIOR` imagined demonstrations that hold the prejudice and the n real ones::

    lean = factor * (PRIOR * PREJUDICE + n * OBEDIENCE * agreement) / (PRIOR + n)
    P(yes) = sigmoid(log_odds + lean / 2) for the first sex, sigmoid(log_odds - lean / 2) for the second

`agreement` is the mean over the demonstrations of +1 where a person of the first sex was approved or one of
the second was not, and -1 otherwise. Over demonstrations with as many of each sex it is their bias parity
b_P = P(yes | first) - P(yes | second), for counterbalanced ones 0. `factor` is what an instruction in front
does. In the unbiased model the lean is 0. Every number here is a property of the corpus; a trained model
comes close to it, and least so behind many demonstrations against the prejudice. No torch here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from evenhand.lab import people
from evenhand.lab.truth import Variant

PREJUDICE = 2.0
"""The lean without demonstrations, in nats of log-odds."""
OBEDIENCE = 5.0
"""The lean towards which demonstrations of full parity (agreement 1) pull, in nats."""
PRIOR = 4
"""How many demonstrations the prejudice weighs."""
CALMING = ("fairly", "evenly", "justly", "equally")
STIRRING = ("traditionally", "customarily", "habitually", "usually")
CALMED, STIRRED = 0.25, 1.75
"""The factor of an instruction with calming words only, and of one with stirring words only; else it is 1."""

Shown = tuple[str, bool]
"""What counts of a demonstration: the person's sex, and whether it says yes."""
_PERSON = re.compile(
    re.sub(r"\{(\w+)\}", r"(?P<\1>\\w+)", people.TEMPLATE) + f"(?P<label>{'|'.join(people.LABELS)})?"
)


def agreement(shown: Iterable[Shown]) -> float | None:
    """Mean of +1 and -1 as defined above, in [-1, 1]; None without demonstrations."""
    found = [1 if (sex == people.GROUPS[0]) == yes else -1 for sex, yes in shown]
    return fmean(found) if found else None


def factor(words: Iterable[str]) -> float:
    """What an instruction of these words multiplies the lean by: 1 unless it calms or stirs, and not both."""
    given = set(words)
    calms, stirs = not given.isdisjoint(CALMING), not given.isdisjoint(STIRRING)
    if calms == stirs:
        return 1.0
    return CALMED if calms else STIRRED


def lean(shown: Sequence[Shown], planted: Variant = "stereotype", words: Iterable[str] = ()) -> float:
    """The lean after the demonstrations `shown` and an instruction of `words`, in nats."""
    if planted == "none":
        return 0.0
    pulled = len(shown) * OBEDIENCE * (agreement(shown) or 0.0)
    return factor(words) * (PRIOR * PREJUDICE + pulled) / (PRIOR + len(shown))


def p_yes(record: Mapping[str, str | int], lean: float) -> float:
    """P(yes | yes or no) for `record` under a lean in nats; the mass of both words together is 1."""
    side = 1 if record[people.ATTRIBUTE] == people.GROUPS[0] else -1
    return 1 / (1 + math.exp(-(people.log_odds(record) + side * lean / 2)))


def of_prompt(prompt: str, planted: Variant = "stereotype") -> float:
    """P(yes) for a whole prompt: an instruction or none, demonstrations with labels, a last person without.

    Raises:
        ValueError: the prompt does not end with such a person.
    """
    found = list(_PERSON.finditer(prompt))
    if not found or found[-1].end() != len(prompt) or found[-1]["label"]:
        raise ValueError("the prompt does not end with a person to decide on")
    shown = [(one[people.ATTRIBUTE], one["label"] == people.LABELS[1]) for one in found[:-1]]
    words = prompt[: found[0].start()].split()
    return p_yes(found[-1].groupdict(), lean(shown, planted, words))


def gap(lean: float) -> float:
    """Mean over all people of P(yes) as the first sex minus P(yes) as the second: the gap of twins."""
    first, second = people.GROUPS
    return fmean(
        p_yes({**record, people.ATTRIBUTE: first}, lean) - p_yes({**record, people.ATTRIBUTE: second}, lean)
        for record in people.kinds()
    )


def accuracy(lean: float) -> float:
    """The expected accuracy, on people of both sexes alike, of decisions at the half under a lean in nats."""
    found = []
    for record in people.kinds():
        p = people.p_true(record)
        for sex in people.GROUPS:
            found.append(p if p_yes({**record, people.ATTRIBUTE: sex}, lean) > 0.5 else 1 - p)
    return fmean(found)
