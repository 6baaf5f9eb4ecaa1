"""What a measured figure says of a claim: it holds, it does not hold, or the figure cannot tell.

A change counts where its 95 % interval excludes that there is none and it is as large as the smallest
relevant change: a tenth of the figure before, measured from its ideal, and at least the metric's smallest
step. A claim of a change does not hold where a relevant one is excluded. Everything else is undecided.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evenhand import registry
from evenhand.decimals import number
from evenhand.records import CapabilityResult, Check, Estimate, Value
from evenhand.studies.margins import Margins


class State(StrEnum):
    """What became of a claim on the model that was measured."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A state, and the figures that decide, in a sentence without its full stop."""

    state: State
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """A figure before and after, and the paired change with its interval."""

    title: str
    metric: str
    before: Estimate
    after: Estimate
    change: Estimate

    @property
    def relevant(self) -> float:
        """The smallest relevant change, in the metric's unit."""
        metric = registry.get("metric", self.metric)
        away = abs((self.before.value or 0.0) - (metric.ideal or 0.0))
        return float(max(Margins().equivalence * away, metric.smallest_step))

    def said(self) -> str:
        """The figures in words."""
        return (
            f"{self.title} from {number(self.before.value)} to {number(self.after.value)} "
            f"({with_interval(self.change, signed=True)})"
        )


def with_interval(found: Estimate, *, signed: bool = False) -> str:
    """A figure with its interval in brackets, or the figure alone."""
    value = number(found.value, signed=signed)
    if found.low is None or found.high is None:
        return value
    return f"{value} [{number(found.low, signed=signed)} to {number(found.high, signed=signed)}]"


def missing(why: str) -> Judgement:
    """Undecided, because something was not measured."""
    return Judgement(State.UNDECIDED, why)


def falls(found: Change) -> Judgement:
    """Whether the figure certainly fell, by a relevant amount."""
    return _moved(found, _ends(found.change), "fall")


def rises(found: Change) -> Judgement:
    """Whether the figure certainly rose, by a relevant amount."""
    low, high = _ends(found.change)
    turned = (None if high is None else -high, None if low is None else -low)
    return _moved(found, turned, "rise")


def _ends(found: Estimate) -> tuple[Value, Value]:
    return found.low, found.high


def _moved(found: Change, ends: tuple[Value, Value], way: str) -> Judgement:
    low, high = ends
    said, value = found.said(), found.change.value
    if low is None or high is None or value is None:
        return missing(f"{said}: no interval")
    size = -value if way == "fall" else value
    if high < 0 and size >= found.relevant:
        return Judgement(State.HOLDS, said)
    if low > -found.relevant:
        return Judgement(State.FAILS, f"{said}: a {way} of {number(found.relevant)} is excluded")
    return Judgement(
        State.UNDECIDED, f"{said}: a {way} of {number(found.relevant)} is neither shown nor excluded"
    )


def keeps(found: Change, margin: float) -> Judgement:
    """Whether a loss of more than `margin` is excluded."""
    low, high = _ends(found.change)
    said = f"{found.said()}, margin {number(margin)}"
    if low is None or high is None:
        return missing(f"{said}: no interval")
    if low >= -margin:
        return Judgement(State.HOLDS, said)
    return Judgement(State.FAILS if high < -margin else State.UNDECIDED, said)


def at_most(title: str, found: Estimate, limit: float) -> Judgement:
    """Whether the figure is certainly no larger than `limit`."""
    said = f"{title} is {with_interval(found)}, limit {number(limit)}"
    if found.low is None or found.high is None:
        return missing(f"{said}: no interval")
    if found.high <= limit:
        return Judgement(State.HOLDS, said)
    return Judgement(State.FAILS if found.low > limit else State.UNDECIDED, said)


def at_least(title: str, found: Estimate, limit: float) -> Judgement:
    """Whether the figure is certainly no smaller than `limit`."""
    ends = [None if x is None else -x for x in (found.value, found.high, found.low)]
    turned = dataclasses.replace(found, value=ends[0], low=ends[1], high=ends[2])
    state = at_most(title, turned, -limit).state
    return Judgement(state, f"{title} is {with_interval(found)}, limit {number(limit)}")


def capable(found: CapabilityResult) -> Judgement:
    """Whether every check of capability is kept."""
    state = {True: State.HOLDS, False: State.FAILS, None: State.UNDECIDED}[found.kept]
    deciding = [check for check in found.checks if check.kept is found.kept]
    return Judgement(state, "; ".join(_checked(check) for check in deciding or found.checks))


def _checked(check: Check) -> str:
    return (
        f"{check.name} from {number(check.before.value)} to {number(check.after.value)} (loss "
        f"{number(check.loss.value, signed=True)}, at most {number(check.loss.high, signed=True)}, margin "
        f"{number(check.margin)})"
    )


def every(parts: Sequence[Judgement]) -> Judgement:
    """All parts have to hold, and one that does not decides; the sentence names those that decide."""
    for state in (State.FAILS, State.UNDECIDED):
        deciding = [one for one in parts if one.state is state]
        if deciding:
            return Judgement(state, "; ".join(one.why for one in deciding))
    return Judgement(State.HOLDS, "; ".join(one.why for one in parts))


def opposite(found: Judgement) -> Judgement:
    """The judgement of the contrary claim."""
    turned = {State.HOLDS: State.FAILS, State.FAILS: State.HOLDS}
    return Judgement(turned.get(found.state, State.UNDECIDED), found.why)
