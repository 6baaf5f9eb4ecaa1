"""What the benchmarks that compare whole options share: means, preferences, ties, and plain words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from evenhand.records import LogProb, Value
from evenhand.ties import tied


def mean_logprob(answer: LogProb) -> Value:
    """Log-probability per scored token, in nats; None where no token of the text is scored."""
    return answer.value / answer.n_tokens if answer.n_tokens else None


def preference(first: Value, second: Value) -> Value:
    """1 where `first` is larger, 0 where `second` is, 0.5 for a tie, None where either is undefined."""
    if first is None or second is None:
        return None
    if tied(first, second):
        return 0.5
    return float(first > second)


def difference(first: Value, second: Value) -> Value:
    """`first` - `second` where both are defined and the difference is finite, else None."""
    if first is None or second is None:
        return None
    found = first - second
    return found if math.isfinite(found) else None


def most_likely(values: Sequence[Value]) -> int | None:
    """The index of the largest value; None where one is undefined or the largest has an equal."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    best = max(known)
    winners = [i for i, value in enumerate(known) if tied(value, best)]
    return winners[0] if len(winners) == 1 else None


def plain(text: str) -> str:
    """Lower case, without punctuation, single spaces: what texts are compared by."""
    return " ".join(re.sub(r"[^\w\s]", "", text.lower()).split())
