"""What indicators read, sums of cells by group, and what they give: figures with n and interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evenhand.monitor.rollups import BINS, SCORES
from evenhand.records import Value
from evenhand.stats.gaps import Rates, between, gap_ends
from evenhand.stats.proportions import clopper_pearson
from evenhand.stats.ratios import NO_ENDS, Ends

Array = NDArray[np.float64]
Part = tuple[float, float]  # how many, of how many


def _no_scores() -> Array:
    return np.zeros((BINS, len(SCORES)))


@dataclass(frozen=True)
class Group:
    """The sums of a group: `counts` by the names of `cells`, `scores` [BINS, SCORES] of `score_cells`."""

    value: str
    counts: Mapping[str, float]
    scores: Array = field(default_factory=_no_scores)

    def __getitem__(self, name: str) -> float:
        return self.counts.get(name, 0)


@dataclass(frozen=True)
class Sums:
    """Everybody, and the groups of one attribute (those whose value is known)."""

    everybody: Group
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A figure of an indicator.

    Attributes:
        indicator, unit: its name, and what it counts in.
        group: whose it is; empty for everybody's, and for one that compares the groups.
        value, low, high: with its 95 % interval; None where undefined.
        n: what it is made of.
        detail: which of several, such as the quantile.
    """

    indicator: str
    unit: str
    group: str
    value: Value
    low: Value
    high: Value
    n: int
    detail: str = ""


@dataclass(frozen=True)
class Indicator:
    """A figure by group.

    Attributes:
        name, title, unit: in results, for people, and what it counts in.
        reading: how to read it, in a sentence.
        figures: of the sums.
        matured: whether it is made of labels, so that days whose labels are still coming are left out.
        part: for a share, how many of how many in a group: what alerts bet on; None for another figure.
        better: which of two values is the better one: the ``high``, the ``low``, the one nearer to ``zero``,
            or neither (empty).
    """

    name: str
    title: str
    unit: str
    reading: str
    figures: Callable[[Indicator, Sums], list[Figure]]
    matured: bool = False
    part: Callable[[Group], Part] | None = None
    better: Literal["high", "low", "zero", ""] = ""

    def of(self, sums: Sums) -> list[Figure]:
        """The figures of `sums`."""
        return self.figures(self, sums)

    def figure(self, group: str, value: Value, ends: Ends, n: float, detail: str = "") -> Figure:
        """One figure of it."""
        return Figure(self.name, self.unit, group, value, ends[0], ends[1], int(n), detail)


def shares(indicator: Indicator, sums: Sums) -> list[Figure]:
    """The share of everybody and of each group, with Clopper and Pearson's interval."""
    assert indicator.part is not None
    found = []
    for group in (sums.everybody, *sums.groups):
        hits, n = indicator.part(group)
        ends = clopper_pearson(hits, n)
        found.append(indicator.figure(group.value, hits / n if n else None, ends, n))
    return found


def compared(part: Callable[[Group], Part], sums: Sums) -> tuple[Array, Array]:
    """The hits and numbers [k] of the groups that have any."""
    found = [part(group) for group in sums.groups]
    kept = np.array([one for one in found if one[1]], dtype=np.float64).reshape(-1, 2)
    return kept[:, 0], kept[:, 1]


def gap_of(
    indicator: Indicator, sums: Sums, part: Callable[[Group], Part], value: Callable[[Array, Array], Value]
) -> list[Figure]:
    """A difference of the groups' shares: `value` of hits and numbers, with the interval of gaps."""
    hits, n = compared(part, sums)
    if len(n) < 2:
        return [indicator.figure("", None, NO_ENDS, n.sum())]
    ends = gap_ends([between(Rates(hits / n, n))], len(n))
    return [indicator.figure("", value(hits, n), ends, n.sum())]


def rows_of(hits: Array, n: Array) -> tuple[Array, Array, Array]:
    """Counts as rows with weights, as `evenhand.metrics` takes them: ones and zeros, group, weight, [2k]."""
    k = len(n)
    return (
        np.repeat([1.0, 0.0], k),
        np.tile(np.arange(k, dtype=np.float64), 2),
        np.concatenate([hits, n - hits]),
    )


def mean_with_ends(total: float, squares: float, n: float) -> tuple[Value, Ends]:
    """The mean of n numbers by their sum and sum of squares, with Student's interval."""
    from scipy.special import stdtrit

    if not n:
        return None, NO_ENDS
    mean = total / n
    if n < 2:
        return mean, NO_ENDS
    half = float(stdtrit(n - 1, 0.975)) * float(np.sqrt(max(squares - n * mean**2, 0.0) / (n - 1) / n))
    return mean, (mean - half, mean + half)


def titles(indicators: Sequence[Indicator]) -> dict[str, Indicator]:
    """Indicators by name."""
    return {one.name: one for one in indicators}
