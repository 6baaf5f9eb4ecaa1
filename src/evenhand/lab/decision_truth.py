"""What is planted in `lab:decisions`: the probability of every answer, given the whole prompt.

The log-odds of a favourable answer are the sum of two terms: what the person's columns contribute
(`evenhand.lab.people.log_odds`), and a bias that is added for the first sex and subtracted for the second.
Without demonstrations the bias is `PRIOR_BIAS`. With n demonstrations it is a weighted mean, in which the
prior bias counts as `PRIOR_WEIGHT` demonstrations::

    bias = factor * (PRIOR_WEIGHT * PRIOR_BIAS + n * FULL_PARITY_BIAS * agreement) / (PRIOR_WEIGHT + n)
    P(yes) = sigmoid(log_odds + bias / 2) for the first sex, sigmoid(log_odds - bias / 2) for the second

`agreement` is the mean over the demonstrations of +1 where a person of the first sex was approved or one of
the second was not, and -1 otherwise. If the demonstrations have equally many people of each sex, it equals
their bias parity b_P = P(yes | first) - P(yes | second); for counterbalanced ones it is 0. `factor` is the
effect of an instruction before the demonstrations. In the unbiased model the bias is 0. Every number here is
a property of the training data; a trained model approximates it, least accurately after many demonstrations
that contradict the prior bias. No torch here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from evenhand.lab import people
from evenhand.lab.truth import Variant

PRIOR_BIAS = 2.0
"""The bias without demonstrations, in nats of log-odds."""
FULL_PARITY_BIAS = 5.0
"""The limit of the bias for many demonstrations of full parity (agreement 1), in nats."""
PRIOR_WEIGHT = 4
"""The number of demonstrations that the prior bias counts as."""
ATTENUATING = ("fairly", "evenly", "justly", "equally")
AMPLIFYING = ("traditionally", "customarily", "habitually", "usually")
ATTENUATED, AMPLIFIED = 0.25, 1.75
"""The factor of an instruction with attenuating words only, and of one with amplifying words only; else it is
1."""

Shown = tuple[str, bool]
"""What the bias depends on in a demonstration: the person's sex, and whether the label is yes."""
_PERSON = re.compile(
    re.sub(r"\{(\w+)\}", r"(?P<\1>\\w+)", people.TEMPLATE) + f"(?P<label>{'|'.join(people.LABELS)})?"
)


def agreement(shown: Iterable[Shown]) -> float | None:
    """Mean of +1 and -1 as defined above, in [-1, 1]; None without demonstrations."""
    found = [1 if (sex == people.GROUPS[0]) == yes else -1 for sex, yes in shown]
    return fmean(found) if found else None


def factor(words: Iterable[str]) -> float:
    """The factor of an instruction of these words; 1 where it has both kinds of words, or neither."""
    given = set(words)
    attenuates, amplifies = not given.isdisjoint(ATTENUATING), not given.isdisjoint(AMPLIFYING)
    if attenuates == amplifies:
        return 1.0
    return ATTENUATED if attenuates else AMPLIFIED


def logit_bias(shown: Sequence[Shown], planted: Variant = "stereotype", words: Iterable[str] = ()) -> float:
    """The bias after the demonstrations `shown` and an instruction of `words`, in nats."""
    if planted == "none":
        return 0.0
    demonstrated = len(shown) * FULL_PARITY_BIAS * (agreement(shown) or 0.0)
    return factor(words) * (PRIOR_WEIGHT * PRIOR_BIAS + demonstrated) / (PRIOR_WEIGHT + len(shown))


def p_yes(record: Mapping[str, str | int], logit_bias: float) -> float:
    """P(yes | yes or no) for `record` under a bias in nats; the two words together have probability 1."""
    side = 1 if record[people.ATTRIBUTE] == people.GROUPS[0] else -1
    return 1 / (1 + math.exp(-(people.log_odds(record) + side * logit_bias / 2)))


def of_prompt(prompt: str, planted: Variant = "stereotype") -> float:
    """P(yes) for a whole prompt: an optional instruction, demonstrations with labels, then a
    person without one.

    Raises:
        ValueError: the prompt does not end with such a person.
    """
    found = list(_PERSON.finditer(prompt))
    if not found or found[-1].end() != len(prompt) or found[-1]["label"]:
        raise ValueError("the prompt does not end with a person to decide on")
    shown = [(one[people.ATTRIBUTE], one["label"] == people.LABELS[1]) for one in found[:-1]]
    words = prompt[: found[0].start()].split()
    return p_yes(found[-1].groupdict(), logit_bias(shown, planted, words))


def gap(logit_bias: float) -> float:
    """Mean over all people of P(yes) as the first sex minus P(yes) as the second: the counterfactual gap."""
    first, second = people.GROUPS
    return fmean(
        p_yes({**record, people.ATTRIBUTE: first}, logit_bias)
        - p_yes({**record, people.ATTRIBUTE: second}, logit_bias)
        for record in people.kinds()
    )


def accuracy(logit_bias: float) -> float:
    """The expected accuracy, on equally many people of both sexes, of decisions at a threshold of 0.5 under a
    bias in nats.
    """
    found = []
    for record in people.kinds():
        p = people.p_true(record)
        for sex in people.GROUPS:
            found.append(p if p_yes({**record, people.ATTRIBUTE: sex}, logit_bias) > 0.5 else 1 - p)
    return fmean(found)
