"""How far a treatment moved the answers to questions with options, whether or not they became wrong ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evenhand.errors import NotComparable
from evenhand.records import Score, Value
from evenhand.stats import aligned

SHARE = "share."


def options_kl(before: Sequence[Score], after: Sequence[Score]) -> list[Value]:
    """The KL divergence from before to after over each item's options, in nats, in the order of `before`.

    It is Σ p ln(p / q) with p and q the columns ``share.<i>`` before and after: 0 where no share moved, and
    infinite where an option has lost all of its share. None where the shares of an item are undefined before
    or after.

    Raises:
        NotComparable: the items are not the same, or an item has not the same options.
    """
    pairs = zip(before, aligned(before, after), strict=True)
    return [_kl(one.sample, _shares(one), _shares(two)) for one, two in pairs]


def _shares(score: Score) -> list[Value]:
    """The options' shares in order."""
    places = sorted(int(name.removeprefix(SHARE)) for name in score.values if name.startswith(SHARE))
    return [score.values[f"{SHARE}{place}"] for place in places]


def _kl(item: str, before: Sequence[Value], after: Sequence[Value]) -> Value:
    if not before or len(before) != len(after):
        raise NotComparable(
            f"The item {item} has {len(before)} options' shares before and {len(after)} after.",
            mend="Measure both models on a benchmark that gives shares, such as subjects or coreference.",
        )
    parts = []
    for p, q in zip(before, after, strict=True):
        if p is None or q is None:
            return None
        if p > 0:
            parts.append(p * math.log(p / q) if q > 0 else math.inf)
    return max(0.0, math.fsum(parts))
