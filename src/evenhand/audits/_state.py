"""What an audit is, and how its figures become a state and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from evenhand.decimals import fixed, number, significant
from evenhand.frames import OTHER
from evenhand.frames.cells import Array
from evenhand.records import Finding, GroupFigure, State, Value

Reads = Literal["table", "texts"]


@runtime_checkable
class Audit(Protocol):
    """One question to a data set. A frozen dataclass; its fields are the options of its spec.

    `reads` says what it takes: a `Question` about a table, or a `TextQuestion` about texts. `needs` names
    what the question must have beside that (``target``, ``against``, ``classifier``); without it the audit
    is left out, and a note says so.
    """

    reads: Reads
    needs: frozenset[str]

    def findings(self, question: Any) -> list[Finding]:
        """What it finds; empty where there is nothing to look at."""
        ...


def judged(low: Value, high: Value, bound: Value, tolerance: float) -> State:
    """How an effect stands to its tolerance, by its 95 % interval and the upper end `bound` of its 90 % one.

    Within means equivalence: two one-sided tests at 5 %. Unclear is everything that shows neither.
    """
    if low is None or high is None:
        return State.NOTE
    if low > tolerance:
        return State.BEYOND
    return State.WITHIN if bound is not None and bound < tolerance else State.UNCLEAR


def known_of(bound: Value, groups: Iterable[str]) -> Value:
    """`bound`, unless one of the groups stands for several that were counted together: then None.

    Those may lie further apart than their sum shows, so that nothing bounds their differences.
    """
    return None if any(OTHER in name for name in groups) else bound


def apart(shares: Array, n: Array, tolerance: float, names: Sequence[str] = ()) -> tuple[Value, Value, State]:
    """The 95 % interval of the largest difference of `shares` [k], each of `n` [k] rows, and its state.

    `names` are the groups', where some may have been counted together. No interval, and a note, for one
    group.
    """
    from evenhand.stats.gaps import Rates, between, gap_ends

    if len(n) < 2:
        return None, None, State.NOTE
    both = [between(Rates(shares, n))]
    (low, high), (_, bound) = gap_ends(both, len(n)), gap_ends(both, len(n), level=0.90)
    return low, high, judged(low, high, known_of(bound, names), tolerance)


def said(state: State, tolerance: float, equal: str = "") -> str:
    """The state in words; `equal` is what is shown where the effect is within the tolerance."""
    limit = number(tolerance)
    return {
        State.BEYOND: f"This is beyond the tolerance of {limit}.",
        State.WITHIN: f"{equal or 'Any difference'} is shown to be within {limit} (at the 5 % level).",
        State.UNCLEAR: f"More than {limit} is neither shown nor ruled out.",
        State.NOTE: "",
    }[state]


def ends(low: Value, high: Value, places: int = 3) -> str:
    """An interval in words."""
    return "no interval" if low is None or high is None else f"{fixed(low, places)} to {fixed(high, places)}"


def p_text(p_value: Value) -> str:
    """A p-value in words: ``p 0.012``; below what a double can hold, that it is."""
    return "p < 1e-300" if p_value == 0 else f"p {significant(p_value)}"


def rates(names: Sequence[str], won: Array, people: Array, n: Array) -> tuple[GroupFigure, ...]:
    """Each group's share with Wilson's interval.

    `won` and `people` [k] are at the effective number of rows, `n` [k] the rows themselves.
    """
    from evenhand.stats.proportions import wilson

    figures = []
    for name, w, p, size in zip(names, won, people, n, strict=True):
        if not p > 0:
            figures.append(GroupFigure(name, int(size)))
        else:
            low, high = (float(end) for end in wilson(w / p, p))
            figures.append(GroupFigure(name, int(size), float(w / p), low, high))
    return tuple(figures)


def adjusted(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with Holm's p-values over all of them."""
    from evenhand.stats.permutation import holm

    found = holm([one.p_value for one in findings])
    return [replace(one, adjusted=p) for one, p in zip(findings, found, strict=True)]


def extremes(shares: Array) -> tuple[int, int]:
    """The places of the largest and the smallest of the shares, undefined ones left out.

    Where all are alike these are the first and the last, so that a sentence does not name one group twice.
    """
    return int(np.nanargmax(shares)), len(shares) - 1 - int(np.nanargmin(shares[::-1]))
