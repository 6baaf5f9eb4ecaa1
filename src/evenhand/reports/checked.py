"""Checks in the reader's words: what must not be lost, what was lost, and how large a loss is excluded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evenhand import decimals
from evenhand.records import Check, GuardName, Value
from evenhand.studies import reasons

KEPT, LOST, UNDECIDED, UNMEASURED = "kept", "lost", "undecided", "not measured"


@dataclass(frozen=True, slots=True)
class Words:
    """How a kind of check is said.

    Attributes:
        starts: how the names of such checks begin; what follows in brackets says on what.
        what: what must not be lost, as in a sentence.
        worse, better: the verbs of a loss and of its opposite.
        amount: a loss of this size as text, with its unit; the sign is left out.
        both: whether a change either way counts.
    """

    starts: str
    what: str
    worse: str
    better: str
    amount: Callable[[float], str]
    both: bool = False


def _percent(share: float) -> str:
    size = abs(100 * share)
    return f"{decimals.fixed(size, 0 if size >= 10 else 1)} %"


def _points(share: float) -> str:
    return f"{decimals.fixed(abs(100 * share), 1)} points"


def _nats(x: float) -> str:
    return f"{decimals.number(abs(x))} nats"


def _figure(x: float) -> str:
    return decimals.number(abs(x))


_KINDS = (
    Words("accuracy", "accuracy", "fell by", "rose by", _points),
    Words("log_perplexity", "perplexity", "rose by", "fell by", lambda nats: _percent(math.expm1(nats))),
    Words("options", "the probabilities of the answers", "moved by", "moved by", _nats),
    Words(GuardName.MASS, "the probability of the groups' words", "fell by", "rose by", _percent, True),
    Words(GuardName.HINTS, "the following of explicit hints", "fell by", "rose by", _figure),
    Words("rest of the distribution", "the probabilities of all other words", "moved by", "moved by", _nats),
    Words("entropy", "the certainty about the next word of neutral text", "fell by", "rose by", _nats, True),
    Words(GuardName.BALANCED, "the balanced accuracy of decisions", "fell by", "rose by", _points),
    Words(GuardName.RATES, "the rate of favourable decisions", "left the base's range by", "stayed inside by",
          _points),
    Words(GuardName.ASSOCIATION, "the raw association", "fell less than d by", "fell more than d by",
          _percent),
    Words(reasons.SCATTER, "the share of items whose own gap grew", "is", "is", _percent),
    Words(reasons.OVER, "the direction of the bias", "turned by", "kept its side by", _figure),
)  # fmt: skip
_PLACES = {
    "text": "after neutral text",
    "bias": "on the bias prompts",
    "hints": "after hints",
    "subjects": "in questions about professions",
    "all questions": "over all questions",
    "distance from the ideal": "beyond the ideal",
}


def words(check: Check) -> Words:
    """How this kind of check is said; one of a figure that a benchmark names is said by its own name."""
    found = next((kind for kind in _KINDS if check.name.startswith(kind.starts)), None)
    return found or Words(check.name, check.name, "got worse by", "got better by", _figure)


def title(check: Check) -> str:
    """What must not be lost, and where, for a table: ``accuracy (facts)``."""
    return f"{words(check).what.removeprefix('the ')}{_where(check)}"


def _where(check: Check) -> str:
    kind = words(check)
    inside = check.name.removeprefix(kind.starts).strip()
    if not (inside.startswith("(") and inside.endswith(")")):
        return ""
    place = inside[1:-1]
    if kind.starts == reasons.OVER and place not in _PLACES:
        return f" (items that leaned to {place})"
    return f" {_PLACES[place]}" if place in _PLACES else f" ({place})"


def state(check: Check) -> str:
    """``kept``, ``lost``, ``undecided`` or ``not measured``."""
    if check.loss.value is None:
        return UNMEASURED
    return {True: KEPT, False: LOST, None: UNDECIDED}[check.kept]


def said(check: Check, beside: Sequence[Check] = ()) -> str:
    """What happened, as part of a sentence: ``perplexity rose by 29 %``, or that it was not measured.

    Where it was found is left out if no other check in `beside` is of the same kind.
    """
    loss, kind = check.loss.value, words(check)
    alone = sum(words(other).starts == kind.starts for other in beside) == 1
    what = kind.what if alone else f"{kind.what}{_where(check)}"
    if loss is None:
        return f"{what} was not measured"
    return f"{what} {kind.worse if loss >= 0 else kind.better} {amount(check, loss)}"


def amount(check: Check, loss: Value) -> str:
    """A loss with its unit and without its sign; a dash where there is none."""
    return "–" if loss is None else words(check).amount(loss)


def seen(check: Check) -> str:
    """The loss with its unit, a gain with a minus."""
    return signed(check, check.loss.value)


def signed(check: Check, loss: Value) -> str:
    """A loss of this check with its unit, a gain with a minus; a dash where there is none."""
    text = amount(check, loss)
    gained = loss is not None and loss < 0 and any(digit in text for digit in "123456789")
    return f"{decimals.MINUS}{text}" if gained else text


def bound(check: Check) -> Value:
    """The smallest loss that the data exclude: every larger one is excluded; None where none is.

    It is the upper end of the loss, or of the larger change where a change either way counts.
    """
    low, high = check.loss.low, check.loss.high
    if high is None or (words(check).both and low is None):
        return None
    return max(high, -low) if words(check).both and low is not None else max(high, 0.0)


def excluded(check: Check) -> str:
    """``above 1.4 points``: the losses that are excluded; ``any`` for all of them, a dash for none."""
    least = bound(check)
    return "–" if least is None else f"above {amount(check, least)}" if least > 0 else "any"
