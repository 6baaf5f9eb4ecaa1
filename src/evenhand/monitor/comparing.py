"""Two versions side by side: of each figure the difference, and whether an interval decides it.

The interval of a difference is made of those of the two figures, whose people are different ones: a limit
that lies `v - l` from its value is as far away as `z` standard deviations on that side (the variance is
recovered from the limits: MOVER, Zou & Donner 2008). The difference b - a lies from
``d - k sqrt((b - l_b)² + (u_a - a)²)`` to ``d + k sqrt((u_b - b)² + (a - l_a)²)``, with k = 1 for 95 %. A
verdict takes k = z(1 - .05/m)/z(.95) for m verdicts, which hold together with 95 % (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evenhand.monitor.indicators import INDICATORS, Figure
from evenhand.records import Value
from evenhand.stats.proportions import normal_quantile
from evenhand.stats.ratios import NO_ENDS, Ends

LEVEL = 0.95
State = Literal["better", "worse", "higher", "lower", "unresolved"]


@dataclass(frozen=True)
class Difference:
    """A figure of two versions.

    Attributes:
        a, b: the figure of each; None where a version has none.
        value, low, high: b - a with its 95 % interval alone; None where undefined.
        state: of b beside a, by the interval that holds for all together; ``higher`` and ``lower`` where
            neither side is the better one.
    """

    indicator: str
    group: str
    detail: str
    a: Figure | None
    b: Figure | None
    value: Value
    low: Value
    high: Value
    state: State


def compared(first: Sequence[Figure], second: Sequence[Figure]) -> tuple[list[Difference], int]:
    """The differences of the figures of b (`second`) and a (`first`), and the number m of verdicts."""
    held = [{(one.indicator, one.group, one.detail): one for one in own} for own in (first, second)]
    keys = [key for key in dict.fromkeys([*held[0], *held[1]]) if _some(held[0].get(key), held[1].get(key))]
    pairs = [(held[0].get(key), held[1].get(key)) for key in keys]
    verdicts = sum(_verdicts(a, b) for a, b in pairs)
    widened = normal_quantile(1 - (1 - LEVEL) / max(verdicts, 1)) / normal_quantile(LEVEL)
    return [_difference(a, b, widened) for a, b in pairs], verdicts


def _some(a: Figure | None, b: Figure | None) -> bool:
    return any(one is not None and one.value is not None for one in (a, b))


def _known(one: Figure | None) -> bool:
    return one is not None and None not in (one.value, one.low, one.high)


def _verdicts(a: Figure | None, b: Figure | None) -> int:
    """How many intervals a verdict needs: none where a version has no interval; two for nearer to zero."""
    if a is None or b is None or not (_known(a) and _known(b)):
        return 0
    return 2 if INDICATORS[a.indicator].better == "zero" else 1


def _difference(a: Figure | None, b: Figure | None, widened: float) -> Difference:
    one = a or b
    assert one is not None
    what = one.indicator, one.group, one.detail, a, b
    if a is None or b is None or not (_known(a) and _known(b)):
        both = a is not None and b is not None and a.value is not None and b.value is not None
        value = b.value - a.value if both else None  # type: ignore[union-attr, operator]
        return Difference(*what, value, *NO_ENDS, "unresolved")
    low, high = ends(a, b, 1.0)
    assert a.value is not None
    assert b.value is not None
    return Difference(*what, b.value - a.value, low, high, _state(a, b, widened))


def ends(a: Figure, b: Figure, k: float, sign: float = -1.0) -> Ends:
    """The interval of b - a, or with `sign` 1 of b + a; k = 1 for the level of the figures' own intervals."""
    assert a.value is not None
    assert b.value is not None
    below_a, above_a = a.value - (a.low or 0.0), (a.high or 0.0) - a.value
    below_b, above_b = b.value - (b.low or 0.0), (b.high or 0.0) - b.value
    if sign < 0:
        below_a, above_a = above_a, below_a
    middle = b.value + sign * a.value
    return middle - k * math.hypot(below_b, below_a), middle + k * math.hypot(above_b, above_a)


def _state(a: Figure, b: Figure, widened: float) -> State:
    side = _side(*ends(a, b, widened))
    better = INDICATORS[a.indicator].better
    if better == "zero":
        # |b| > |a| just where (b - a)(b + a) > 0.
        other = _side(*ends(a, b, widened, 1.0))
        return "unresolved" if not side * other else "worse" if side * other > 0 else "better"
    if not side:
        return "unresolved"
    if not better:
        return "higher" if side > 0 else "lower"
    return "better" if (side > 0) == (better == "high") else "worse"


def _side(low: Value, high: Value) -> int:
    """1 for an interval above 0, -1 for one below, 0 for one that holds it."""
    assert low is not None
    assert high is not None
    return int(low > 0) - int(high < 0)
