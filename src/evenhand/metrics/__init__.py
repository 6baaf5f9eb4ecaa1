"""Metrics by family: pure functions over columns of per-item values, and the `Metric`s made of them.

A module of this folder is a family; its `components` are the metrics that it defines.

A metric sees the whole table at once together with a matrix of weights, one row a resample; the point
estimate is the row of ones. So one matrix of resamples serves every metric, group and model, which is
what makes before/after intervals paired and fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadData
from evenhand.metrics._arrays import numbers
from evenhand.metrics._arrays import weights as checked_weights
from evenhand.records import Score, Value

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Per-item values as float arrays of length n; undefined values are NaN *inside* this class only."""

    values: Mapping[str, Array]
    n: int

    def __getitem__(self, name: str) -> Array:
        """The column `name`, shape [n].

        Raises:
            KeyError: the benchmark does not provide this column.
        """
        return self.values[name]

    def group(self, prefix: str) -> Array:
        """All columns named ``prefix.<group>`` side by side, in the benchmark's group order, shape [n, k]."""
        found = [column for name, column in self.values.items() if name.startswith(prefix + ".")]
        if not found:
            raise KeyError(f"no columns named {prefix}.*")
        return np.stack(found, axis=1)


BLOCK = 512
"""So many scores are read for all columns at once: more of them would not stay in a processor's cache."""


def columns(scores: Sequence[Score]) -> Columns:
    """The per-item values of `scores` as arrays; None becomes NaN.

    Raises:
        BadData: a value is neither a number nor None.
        KeyError: a score lacks a value that the first one has.
    """
    names = list(scores[0].values) if scores else []
    parts: dict[str, list[Array]] = {name: [] for name in names}
    for start in range(0, len(scores), BLOCK):
        for name, found in parts.items():
            try:
                found.append(_column(scores[start : start + BLOCK], name))
            except BadData:
                _column(scores[: start + BLOCK], name)  # its error says where in the whole column
                raise
    return Columns({name: np.concatenate(found) for name, found in parts.items()}, len(scores))


def _column(scores: Sequence[Score], name: str) -> Array:
    values = [np.nan if (v := s.values[name]) is None else v for s in scores]
    return numbers(values, f"values of {name}", "A score's values are numbers, and None where undefined.")


@dataclass(frozen=True)
class Sums:
    """A figure that is ``scale * Σ top / Σ bottom`` over items, or the exponential of that (`exp`).

    `top` and `bottom` give [n] each, NaN where undefined; without `bottom` the figure is the mean of `top`.
    `share` says that it counts items: each item's part lies in 0 to 1, as a rule at one of the two.
    """

    top: Callable[[Columns], Array]
    bottom: Callable[[Columns], Array] | None = None
    share: bool = False
    scale: float = 1.0
    exp: bool = False


Stage = tuple[Array, Array]  # values in 0 to 1 [n], and who belongs to which group [n, k], 1 or 0


@dataclass(frozen=True)
class Gap:
    """A figure of how far groups' means lie apart: `scale` times the largest minus the smallest.

    `stages` gives the values and the groups; of two stages the figure is the sum, or the larger one (`how`).
    With `ratio` it is the smallest over the largest. `twins` has in place of groups each person's decisions
    as a member of every group [n, k], and the values are not looked at.
    """

    stages: Callable[[Columns], Sequence[Stage]]
    how: Literal["sum", "max"] = "sum"
    scale: float = 1.0
    ratio: bool = False
    twins: bool = False


@dataclass(frozen=True)
class Evenness:
    """ICAT: ``min(LMS SS, LMS (100 - SS)) / 50`` of two figures that are shares of items."""

    lms: Sums
    ss: Sums


Kind = Sums | Gap | Evenness


@dataclass(frozen=True)
class Metric:
    """A figure over items.

    Attributes:
        name, title: the key in results, and the heading for people.
        unit: of the figure and its interval.
        ideal: the best value; None for a descriptive figure that has none.
        low, high: the ends of its range; None where an end is open.
        source, reading: who defined it, and how to read it.
        needs: the columns (or ``prefix.*``) that it reads.
        compute: takes the columns and weights [B, n] (how often each item counts, 0 or more), and returns one
            value for each row of weights, [B], NaN where undefined.
        items: says for which items the figure is defined, bool [n]; their number is its `n`.
        per_item: the items' own values [n] where the figure is their mean; None where it is no mean of items.
        chance: the figure of a model that guesses; None where that is not known.
        chance_of: the column that holds it where it depends on the item; else empty.
        short: the name in running text; empty for the words of `name`.
        step: the smallest difference that matters, in `unit`; None for the rule of `smallest_step`.
        words: the words ("terms") whose probability the figure is; empty for any other figure. Such a figure
            says how much these words are used, and is no gap.
        by_rows: the figure depends on nothing but the different rows of `needs` and the sum of each one's
            weights, so that items with equal rows may be counted together; resamples are cheaper then.
        kind: what sort of figure it is, which decides on its interval; None for any other sort, whose
            interval is the percentile one of resamples.
    """

    name: str
    title: str
    unit: str
    ideal: float | None
    low: float | None
    high: float | None
    source: str
    reading: str
    needs: tuple[str, ...]
    compute: Callable[[Columns, Array], Array]
    items: Callable[[Columns], NDArray[np.bool_]]
    per_item: Callable[[Columns], Array] | None = None
    chance: float | None = None
    chance_of: str = ""
    short: str = ""
    step: float | None = None
    words: str = ""
    by_rows: bool = False
    kind: Kind | None = None

    @property
    def label(self) -> str:
        """The name in running text."""
        return self.short or self.name.replace("_", " ")

    @property
    def smallest_step(self) -> float:
        """The smallest difference that matters: `step`, or 2 % of the distance from the ideal to the far end.

        0.02 of the unit where there is no ideal or the range has an open end, so that there is no distance.
        """
        if self.step is not None:
            return self.step
        if self.ideal is None or self.low is None or self.high is None:
            return 0.02
        return 0.02 * max(self.high - self.ideal, self.ideal - self.low)

    @property
    def direction(self) -> str:
        """Which way is better; see `direction`."""
        return direction(self.ideal, self.low, self.high)

    def value(self, scores: Sequence[Score]) -> Value:
        """The figure over `scores`; None when undefined (no item, or no item with a defined value)."""
        if not scores:
            return None
        result = float(self.compute(columns(scores), np.ones((1, len(scores))))[0])
        return result if np.isfinite(result) else None


def direction(ideal: Value, low: Value, high: Value) -> str:
    """Which way a figure of this range is better: ``lower is better``, ``higher is better``, ``best at 50``.

    Empty for a descriptive figure, which has no ideal.
    """
    if ideal is None:
        return ""
    ends = {low: "lower is better", high: "higher is better"}
    return ends.get(ideal, f"best at {ideal:g}")


def weighted_mean(x: ArrayLike, weights: ArrayLike) -> Array:
    """Mean of `x` [n] over its defined items under `weights` [B, n]: [B], NaN where no weight is left.

    Raises:
        BadData: no numbers, different lengths, or a negative, infinite or missing weight.
    """
    values = numbers(x, "values", "x takes a number for each item, and NaN where undefined.")
    return mean_under(values, checked_weights(weights, len(values), ndim=2))


def mean_under(x: Array, weights: Array) -> Array:
    """`weighted_mean` of arrays that are known to fit, without looking at every weight."""
    defined = np.isfinite(x)
    # [B, n] @ [n, 2]: the weighted sum and the weight of the defined items, [B] each.
    sums, total = (weights @ np.stack([np.where(defined, x, 0.0), defined], axis=1)).T
    mean: Array = np.divide(sums, total, out=np.full(len(weights), np.nan), where=total > 0)
    return mean


def mean_metric(
    name: str, title: str, *, per_item: Callable[[Columns], Array], share: bool = False, **about: object
) -> Metric:
    """A metric that is the mean of a per-item quantity; `per_item` gives [n] with NaN where undefined.

    `share` says that it is the share of items of some kind: an item's own value is 0 or 1 (percent: 0 or
    100), or between where an item counts in part, as a tie does.
    """
    kind = Sums(per_item, share=share)
    if share and about.get("high") == 100.0:
        kind = Sums(lambda table: per_item(table) / 100, share=True, scale=100.0)
    return Metric(
        name,
        title,
        compute=lambda table, weights: mean_under(per_item(table), weights),
        items=lambda table: np.isfinite(per_item(table)),
        per_item=per_item,
        kind=kind,
        **about,  # type: ignore[arg-type]
    )
