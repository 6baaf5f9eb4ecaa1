"""Which interval belongs to which kind of figure; `docs/adr/0017-intervals.md` says why.

| kind | interval | of the change |
|---|---|---|
| share of items | Korn and Graubard's | Tango's; of ties and of terms as for means |
| mean, ratio, perplexity | bootstrap-t over clusters, t above 50 | the same of differences |
| gap or ratio over groups | Newcombe's and MOVER's over all pairs | MOVER of the two intervals |
| gap of twins | Tango's over all pairs | MOVER of the two intervals |
| ICAT | the minimum of two products by t | MOVER of the two intervals |
| any other | percentile, widened by t | percentile, widened by t |

None of them has zero width: where nothing varies, the unseen is bounded, or there is no interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from evenhand.metrics import Columns, Evenness, Gap, Metric, Sums
from evenhand.records import Value
from evenhand.stats import gaps, paired
from evenhand.stats.intervals import interval
from evenhand.stats.means import FEW, Asked, linear_interval, ratio_interval
from evenhand.stats.proportions import share_ends
from evenhand.stats.ratios import NO_ENDS, Array, Codes, Ends, Ratio, ratio_of_sums
from evenhand.stats.resampling import held

Mask = NDArray[np.bool_]
_SKEWED = ("bootstrap-t", "t", "percentile")  # what skewed data of few clusters make too short
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """The two ends (None: no interval), the name of the interval, and whether few clusters are behind it."""

    low: Value = None
    high: Value = None
    method: str = ""
    few: bool = False

    @staticmethod
    def of(ends: Ends, method: str, clusters: int, *, scale: float = 0.0) -> Interval:
        """The interval with these `ends`; none where one is missing, or both are one but for rounding.

        `scale` is how large the figures are of which the ends are a difference.
        """
        low, high = ends
        if low is None or high is None:
            return Interval()
        if high - low <= _ROUNDING * max(abs(low), abs(high), scale):
            return Interval()
        return Interval(float(low), float(high), method, method in _SKEWED and clusters < FEW)


def known(
    metric: Metric, table: Columns, used: Mask, codes: Codes, asked: Asked, *, bounded: bool = True
) -> Interval:
    """The interval of `metric`, whose kind is known, over the `used` [n] items with clusters `codes` [n].

    Not `bounded`, that of a gap or a ratio over groups may go beyond its ideal; see `combined_change`.
    """
    kind, k = metric.kind, len(held(codes[used]))
    if isinstance(kind, Sums):
        return _of_sums(kind, table, codes, (metric.low, metric.high), asked)
    if isinstance(kind, Gap):
        return Interval.of(*_of_gap(kind, table, used, codes, asked.level, bounded=bounded), k)
    if isinstance(kind, Evenness):
        lms, ss = (_ratio(part, table, codes) for part in (kind.lms, kind.ss))
        found = NO_ENDS if lms is None or ss is None else gaps.icat_ends(lms, ss, level=asked.level)
        return Interval.of(found, "t", k)
    return Interval()


def known_change(
    metric: Metric, before: Columns, after: Columns, codes: Codes, asked: Asked
) -> Interval | None:
    """The interval of the change of `metric` on the same items; None where resamples have to give it."""
    kind = metric.kind
    if not isinstance(kind, Sums):
        return None
    if kind.share and kind.bottom is None:
        old, new = (kind.top(table) for table in (before, after))
        if _binary(old) and _binary(new):
            ends = paired.change_ends(old, new, codes, level=asked.level)
            return Interval.of(_times(kind.scale, ends), "tango", len(held(codes)))
    limits = _change_limits((metric.low, metric.high))
    if not kind.exp:
        (top, bottom), (new_top, new_bottom) = (_sums(kind, table) for table in (before, after))
        if np.array_equal(bottom, new_bottom, equal_nan=True):
            change = ratio_of_sums(new_top - top, bottom, codes)
            limits = tuple(None if end is None else end / kind.scale for end in limits)  # type: ignore[assignment]
            ends, method = ratio_interval(change, limits=limits, asked=asked)
            return Interval.of(_times(kind.scale, ends), method, 0 if change is None else change.clusters)
    return _linear_change(kind, (before, after), codes, limits, asked)


def _linear_change(
    kind: Sums, tables: tuple[Columns, Columns], codes: Codes, limits: Ends, asked: Asked
) -> Interval:
    """To first order each cluster moves the change by the difference of what it moves the two figures by."""
    old, new = (_ratio(kind, table, codes) for table in tables)
    if old is None or new is None:
        return Interval()
    names = np.union1d(old.names, new.names)
    u, values = np.zeros(len(names)), []
    for found, sign in ((old, -1.0), (new, 1.0)):
        figure = kind.scale * (float(np.exp(found.value)) if kind.exp else found.value)
        slope = figure if kind.exp else kind.scale
        u[np.searchsorted(names, found.names)] += sign * slope * found.influence
        values.append(figure)
    change, size = values[1] - values[0], max(map(abs, values))
    u[np.abs(u) <= _ROUNDING * size] = 0.0  # what equal figures leave is rounding
    ends, method = linear_interval(change, u, limits=limits, asked=asked)
    return Interval.of(ends, method, len(names), scale=size)


def percentile(
    values: ArrayLike, clusters: int, level: float, limits: Ends = NO_ENDS, *, scale: float = 0.0
) -> Interval:
    """The percentile interval of bootstrap `values` [B], widened by Student's t for few `clusters`.

    Both ends move away from the middle of the values by ``t_{k-1} / z sqrt(k / (k - 1))``, and stay within
    `limits`; `scale` as for `Interval.of`.
    """
    low, high = interval(values, level)
    if low is None or high is None or clusters < 2:
        return Interval()
    array = np.asarray(values, dtype=np.float64).ravel()
    middle, tail = float(np.median(array[np.isfinite(array)])), (1 + level) / 2
    wider = float(stdtrit(clusters - 1, tail) / ndtri(tail)) * np.sqrt(clusters / (clusters - 1))
    if not Interval.of((low, high), "percentile", clusters, scale=scale).method:
        return Interval()
    low, high = middle - wider * (middle - low), middle + wider * (high - middle)
    least, most = limits
    low, high = low if least is None else max(low, least), high if most is None else min(high, most)
    return Interval.of((low, high), "percentile", clusters, scale=scale)


def percentile_change(metric: Metric, before: Array, after: Array, clusters: int, level: float) -> Interval:
    """The percentile interval of the change, from the resampled figures `before` and `after` [B]."""
    figures = np.abs(np.concatenate([before, after]))
    size = float(figures[np.isfinite(figures)].max(initial=0.0))
    limits = _change_limits((metric.low, metric.high))
    return percentile(after - before, clusters, level, limits, scale=size)


def combined_change(
    metric: Metric, sides: tuple[tuple[float, Interval], ...], drawn: tuple[Array, Array]
) -> Interval:
    """The interval of the change of a gap or of ICAT: MOVER of the intervals of both sides, paired.

    `sides` are before and after, each a figure with its own interval, which may go beyond the ideal: chance
    lifts the gap of equal groups by as much as it would lower another. (Ended at the ideal, a change to equal
    rates was held in 85 %.) Of their resamples `drawn` [B] only the correlation is used: a resampled gap of
    equal groups is never 0, so that its percentiles miss the truth, but before and after go up and down
    together in it. Source: Zou 2007, Psychological Methods 12, 399-413; of correlated figures, Zou & Donner
    2008. None where a side has no interval.
    """
    (first, old), (last, new) = sides
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return Interval()
    r = _correlation(*drawn)
    low = _mover(last - new.low, old.high - first, r)
    high = _mover(new.high - last, first - old.low, r)
    least, most = _change_limits((metric.low, metric.high))
    ends = last - first - low, last - first + high
    ends = (
        ends[0] if least is None else max(ends[0], least),
        ends[1] if most is None else min(ends[1], most),
    )
    found = Interval.of(ends, "mover", 0)
    return replace(found, few=old.few or new.few)


def _mover(one: float, two: float, r: float) -> float:
    """How far an end lies from the difference of two figures whose own ends lie `one` and `two` from them."""
    return float(np.sqrt(max(one**2 + two**2 - 2 * r * one * two, 0.0)))


def _correlation(before: Array, after: Array) -> float:
    """Of resampled figures [B]; 0 where one of them does not vary. A negative one would only widen."""
    both = np.isfinite(before) & np.isfinite(after)
    if both.sum() < 2 or np.ptp(before[both]) <= _ROUNDING or np.ptp(after[both]) <= _ROUNDING:
        return 0.0
    return float(np.clip(np.corrcoef(before[both], after[both])[0, 1], -1.0, 1.0))


def _of_sums(kind: Sums, table: Columns, codes: Codes, limits: Ends, asked: Asked) -> Interval:
    found = _ratio(kind, table, codes)
    if found is None:
        return Interval()
    if kind.share:
        ends, method = share_ends(found, level=asked.level), "korn-graubard"
    else:
        inner = tuple(None if end is None else _inner(kind, end) for end in limits)
        ends, method = ratio_interval(found, limits=inner, asked=asked)  # type: ignore[arg-type]
    if kind.exp:
        with np.errstate(over="ignore"):
            powers = [None if end is None else float(np.exp(end)) for end in ends]
        ends = (powers[0], None if powers[1] is None or np.isinf(powers[1]) else powers[1])
    return Interval.of(_times(kind.scale, ends), method, found.clusters)


def _inner(kind: Sums, end: float) -> Value:
    """An end of the figure's range as one of the ratio's."""
    end = end / kind.scale
    return end if not kind.exp else float(np.log(end)) if end > 0 else None


def _of_gap(
    kind: Gap, table: Columns, used: Mask, of: Codes, level: float, *, bounded: bool
) -> tuple[Ends, str]:
    codes = None if len(held(of)) == len(of) else of  # None: everybody is a cluster of their own
    stages = [
        (np.where(used, values, np.nan), np.where(used[:, None], members, np.nan if kind.twins else 0.0))
        for values, members in kind.stages(table)
    ]
    if kind.twins:
        pairs = [gaps.within(decisions, codes) for _, decisions in stages]
    else:
        rates = [gaps.group_rates(values, members, codes) for values, members in stages]
        if kind.ratio:
            first = rates[0]
            ends = NO_ENDS if first is None else gaps.ratio_ends(first, level=level, bounded=bounded)
            return ends, "mover"
        pairs = [None if one is None else gaps.between(one) for one in rates]
    whole = [one for one in pairs if one is not None]
    if len(whole) < len(pairs):
        return NO_ENDS, ""
    groups = stages[0][1].shape[1]
    ends = gaps.gap_ends(whole, groups, how=kind.how, scale=kind.scale, level=level, bounded=bounded)
    summed = len(whole) > 1 and kind.how == "sum"
    return ends, "mover" if summed else "tango" if kind.twins else "newcombe"


def _sums(kind: Sums, table: Columns) -> tuple[Array, Array]:
    top = kind.top(table)
    return top, np.ones(table.n) if kind.bottom is None else kind.bottom(table)


def _ratio(kind: Sums, table: Columns, codes: Codes) -> Ratio | None:
    return ratio_of_sums(*_sums(kind, table), codes)


def sums_error(kind: Sums, table: Columns, codes: Codes) -> Value:
    """The linearised standard error of a figure that is made of sums; None where it is undefined."""
    found = _ratio(kind, table, codes)
    if found is None:
        return None
    slope = float(np.exp(found.value)) if kind.exp else 1.0
    return abs(kind.scale) * slope * found.error


def _binary(x: Array) -> bool:
    return bool(np.isin(x[np.isfinite(x)], (0.0, 1.0)).all())


def _times(scale: float, ends: Ends) -> Ends:
    low, high = (None if end is None else scale * end for end in ends)
    return low, high


def _change_limits(limits: Ends) -> Ends:
    """How far a figure can move that cannot leave `limits`."""
    low, high = limits
    return (None, None) if low is None or high is None else (low - high, high - low)
