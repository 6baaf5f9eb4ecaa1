"""Checks of external log-probabilities: impossible values are found before any of them is scored.

A table of zeros has no bias by any metric, and one of constants hardly any: a value that cannot be a
log-probability must not become a figure. Each test here follows from the definition of a probability, or from
how rarely floats repeat; `check` names the problem, with an example.

One fault cannot be found from the values alone: logarithms to another base, where the requested texts hold
only a part of all probability (values to base 2 are only smaller than natural ones). An endpoint is therefore
asked for the likeliest tokens as well, see `evenhand.models.echoed`.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from evenhand.decimals import significant
from evenhand.errors import BadModel
from evenhand.records import Continuation, LogProb

Example = Callable[[int], str]
"""Describes the request of a value, given the value's index."""
ROUNDING = 1e-3
"""Largest excess above 0, in nats, that rounding may cause."""
# Alternatives after one context: values of 16-bit servers vary by some hundredths from text to text.
_MOST, _OFTEN, _OFTEN_SHARE = 1.1, 1.03, 0.1
_EQUAL, _ZERO = 8, 3  # this many different requests with one value cannot be a coincidence
_STAND_INS = frozenset({-99.0, -100.0})  # a model may give one of these once, by chance
STAND_IN = -999.0  # a whole number of this value or less is always a placeholder
_LEAST, _LEAST_A_BYTE = -200.0, -20.0  # nats: no model gives a text less than their sum
_NORMALISED = 1e-4
_SURE = -0.01


def check(answers: Iterable[tuple[Continuation, LogProb]], source: str) -> None:
    """Check that the values in nats can be log-probabilities; `source` is the server or the file.

    Raises:
        BadModel: a value is above 0, NaN or +inf; all are equal, or 0; values are placeholders for missing
            ones; the probabilities of mutually exclusive texts sum to more than 1; or the logarithms are to
            another base.
    """
    known = dict(answers)
    items, values = list(known), [answer.value for answer in known.values()]

    def example(number: int) -> str:
        return _shown(items[number])

    problem = (
        _impossible(known) or _constant(values, example) or _stand_in(values, example) or _too_likely(known)
    )
    if problem:
        raise refused(source, problem)


def check_tokens(rows: Sequence[tuple[str, Sequence[float]]], source: str) -> None:
    """The same for the values of single tokens; a row is a text with the values of its tokens.

    Raises:
        BadModel: they are all equal, or some are placeholders for missing ones.
    """
    values = [value for _, row in rows for value in row]

    def example(number: int) -> str:
        for text, row in rows:
            if number < len(row):
                return f"token {number + 1} of {text[-60:]!r}"
            number -= len(row)
        raise IndexError(number)

    if problem := _constant(values, example) or _stand_in(values, example):
        raise refused(source, problem)


def impossible(value: float) -> str | None:
    """What is wrong with one value in nats, independent of its text; None if nothing is wrong.

    -inf is left to the caller.
    """
    if math.isnan(value) or value == math.inf:
        return f"a log-probability is {value}"
    if value > ROUNDING:
        return f"a log-probability is {value:g}, which is above 0"
    return None


def impossible_token(value: float) -> str | None:
    """The same for the value of a single token, which is never as small as a placeholder."""
    if -math.inf < value <= STAND_IN:
        return f"a log-probability is {value:g}, a placeholder for a missing one"
    return impossible(value)


def refused(source: str, why: str) -> BadModel:
    """The refusal of all log-probabilities of `source`."""
    return BadModel(
        f"The log-probabilities of {source} cannot be used: {why}.",
        mend="Use a benchmark of generated text there, or score the weights themselves (hf:).",
    )


def _shown(item: Continuation) -> str:
    return f"{item.text[:60]!r} after {item.context[-60:]!r}"


def _impossible(known: Mapping[Continuation, LogProb]) -> str | None:
    for item, answer in known.items():
        if (why := impossible(answer.value)) is not None:
            return f"{why} ({_shown(item)})"
        size = max(answer.n_tokens, len(item.text.encode("utf-8", "replace")))
        if -math.inf < answer.value < _LEAST + _LEAST_A_BYTE * size:
            return f"{_shown(item)} has {answer.value:g} nats, far less than any model gives so short a text"
    return None


def _constant(values: Sequence[float], example: Example) -> str | None:
    distinct = set(values)
    if len(distinct) != 1:
        return None
    (value,) = distinct
    if value == 0 and len(values) >= _ZERO:
        return f"all {len(values)} values are 0, which means probability 1 (such as {example(0)})"
    if len(values) >= _EQUAL:
        return f"all {len(values)} values are {value:g} (such as {example(0)})"
    return None


def _stand_in(values: Sequence[float], example: Example) -> str | None:
    """A placeholder: a whole number far below what a model gives, among values that are not whole."""
    finite = [value for value in values if math.isfinite(value)]
    if all(value == round(value) for value in finite):
        return None
    counts = Counter(v for v in finite if v in _STAND_INS or (v <= STAND_IN and v == round(v)))
    for value, count in counts.most_common():
        if count > 1 or value <= STAND_IN:
            return (
                f"{count} of {len(values)} values are exactly {value:g}, a placeholder for missing ones "
                f"(such as {example(values.index(value))})"
            )
    return None


def _too_likely(known: Mapping[Continuation, LogProb]) -> str | None:
    """Whether the probabilities of mutually exclusive texts after one context sum to more than 1."""
    groups: dict[str, dict[str, float]] = {}
    for item, answer in known.items():
        if answer.kind == "true":
            group = groups.setdefault(item.context, {})
            # A tokenizer may ignore case, and then texts that differ only in case are one text.
            key = " ".join(unicodedata.normalize("NFKC", item.text).casefold().split())
            group[key] = max(group.get(key, -math.inf), answer.value)
    rivals = {context: group for context, group in groups.items() if len(group) > 1}
    sums = {context: _together(group) for context, group in rivals.items()}
    often = sum(total > _OFTEN for total in sums.values())
    worst = max(sums, key=lambda context: sums[context], default="")
    if rivals and (sums[worst] > _MOST or (often > 1 and often >= _OFTEN_SHARE * len(sums))):
        texts = ", ".join(f"{text!r} {value:g}" for text, value in list(rivals[worst].items())[:4])
        return (
            f"the probabilities of texts that exclude each other sum to {significant(sums[worst])}, above 1, "
            f"after {worst[-60:]!r} ({texts})"
        )
    return _other_base(rivals)


def _together(group: Mapping[str, float]) -> float:
    """The largest total probability of texts none of which is a prefix of another; logarithms by text."""
    inside = dict.fromkeys(group, 0.0)  # of texts that begin with the text
    total = 0.0
    for text in sorted(group, reverse=True):  # longer texts before their prefixes
        value = max(math.exp(min(group[text], 1.0)), inside[text])
        outer = next((text[:end] for end in range(len(text) - 1, 0, -1) if text[:end] in inside), None)
        if outer is None:
            total += value
        else:
            inside[outer] += value
    return total


def _other_base(rivals: Mapping[str, Mapping[str, float]]) -> str | None:
    """The base, found from options that hold all probability: its powers sum to 1 after every context."""
    rows = [
        list(group.values())
        for group in rivals.values()
        if all(math.isfinite(value) for value in group.values()) and max(group.values()) < _SURE
    ]
    if len(rows) < _EQUAL or len({tuple(sorted(row)) for row in rows}) < _EQUAL:
        return None
    for base in (2, 10):
        if all(abs(math.fsum(base**value for value in row) - 1) < _NORMALISED for row in rows):
            return (
                f"they are logarithms to base {base}: after each of {len(rows)} contexts the options' powers "
                f"of {base} sum to 1"
            )
    return None
