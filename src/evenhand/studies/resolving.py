"""What a paired change says: better, worse or unresolved, with the verdict's own smallest relevant effect.

A change is *better* where its interval is certainly on the better side and it is at least delta large,
*worse* where the same holds on the other side. Everything else is *unresolved*: that nothing was shown is no
evidence that nothing changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evenhand.records import Effect
from evenhand.studies.distance import distance_of
from evenhand.studies.margins import Margins


class Outcome(StrEnum):
    """The only things that a comparison says."""

    BETTER = "better"
    WORSE = "worse"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an effect says; `delta` is the smallest relevant change, in the metric's unit.

    `why` says what an unresolved one lacks, empty for a resolved one.
    """

    outcome: Outcome
    delta: float
    why: str = ""


def resolution(effect: Effect, *, doubted: bool = False, margins: Margins | None = None) -> Resolution | None:
    """What `effect` says; None for a descriptive metric, which has no better side.

    `doubted` says that the model hardly uses the words concerned, so that nothing is resolved.
    """
    if effect.before.ideal is None:
        return None
    away = distance_of(effect)
    before, change = away.value(effect.before.value), away.change(effect.change)
    share = (margins or Margins()).equivalence
    delta = max(share * max(before or 0.0, 0.0), away.step)
    if doubted:
        return Resolution(Outcome.UNRESOLVED, delta, "the model hardly uses the words")
    if change.value is None or change.low is None or change.high is None:
        return Resolution(Outcome.UNRESOLVED, delta, "the change is undefined or has no interval")
    if not change.low > 0 and not change.high < 0:
        return Resolution(Outcome.UNRESOLVED, delta, "its interval holds 0")
    if abs(change.value) < delta:
        return Resolution(Outcome.UNRESOLVED, delta, "it is smaller than the smallest relevant change")
    return Resolution(Outcome.WORSE if change.value > 0 else Outcome.BETTER, delta)
