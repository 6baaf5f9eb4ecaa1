"""Intervals of means, ratios of sums and other figures that are linear in clusters to first order.

Up to 50 clusters bootstrap-t: the studentised departure ``(R* - R) / se*`` of resamples of whole clusters
takes the place of Student's t, so that skewed data get an interval that is longer on the side of their tail.
Above, and where clusters are too few to resample, Student's t with k - 1 degrees of freedom. Sources: Efron
1982; Hall 1988 (second-order accurate, percentile and BCa intervals of few clusters are not); Davison &
Hinkley 1997, section 5.2. Where no cluster departs from the mean, what was not seen is bounded instead: the
interval never has zero width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from evenhand.records import Value
from evenhand.stats.ratios import NO_ENDS, Array, Codes, Ends, Ratio, mean_of, standard_error
from evenhand.stats.resampling import CELLS, counted

RESAMPLED = 50  # clusters up to which the departure's distribution is taken from resamples
FEWEST = 4  # clusters below which a resample too often has no spread at all
SPREADLESS = 0.02  # share of resamples without spread beyond which departures cannot be studentised
FEW = 20  # clusters below which skewed data fall short of the level; such figures are marked


@dataclass(frozen=True)
class Asked:
    """At what `level` an interval is wanted, and how chance enters: `draws` resamples under `seed`."""

    level: float = 0.95
    seed: int = 0
    draws: int = 1999

    @property
    def tails(self) -> tuple[float, float]:
        """The two probabilities that the interval leaves out, as quantiles: 0.025 and 0.975."""
        return (1 - self.level) / 2, (1 + self.level) / 2


USUAL = Asked()


def mean_ends(
    x: ArrayLike,
    codes: Codes | None = None,
    weights: ArrayLike | None = None,
    *,
    limits: Ends = NO_ENDS,
    asked: Asked = USUAL,
) -> Ends:
    """Interval of the mean of `x` [n] (NaN left out), also of paired differences.

    `codes` [n] number the clusters, `weights` [n] weigh the items, `limits` are what a mean cannot leave
    (None: no limit). None with fewer than two clusters, and where nothing varies and a limit is missing.
    """
    return ratio_ends(mean_of(x, codes, weights), limits=limits, asked=asked)


def ratio_ends(found: Ratio | None, *, limits: Ends = NO_ENDS, asked: Asked = USUAL) -> Ends:
    """Interval of a ratio of sums, as `mean_ends` gives it of a mean."""
    return ratio_interval(found, limits=limits, asked=asked)[0]


def ratio_interval(found: Ratio | None, *, limits: Ends = NO_ENDS, asked: Asked = USUAL) -> tuple[Ends, str]:
    """The `ratio_ends`, and what they are: ``bootstrap-t``, ``t``, or ``exact`` where nothing varies."""
    if found is None or found.clusters < 2:
        return NO_ENDS, ""
    if found.error == 0:
        return unseen(found.value, found.clusters, limits, asked.level), "exact"
    departures = studentised(found, asked)
    ends = _within(*_ends(found.value, found.error, departures, found.clusters, asked), limits)
    return ends, "t" if departures is None else "bootstrap-t"


def linear_ends(value: float, influence: Array, *, limits: Ends = NO_ENDS, asked: Asked = USUAL) -> Ends:
    """Interval of a smooth figure whose clusters move it by `influence` [k] to first order."""
    return linear_interval(value, influence, limits=limits, asked=asked)[0]


def linear_interval(
    value: float, influence: Array, *, limits: Ends = NO_ENDS, asked: Asked = USUAL
) -> tuple[Ends, str]:
    """The `linear_ends`, and what they are, as for `ratio_interval`."""
    k = len(influence)
    if not k:
        return NO_ENDS, ""
    found = Ratio(value, influence - influence.mean(), np.full(k, 1 / k), k, np.arange(k))
    return ratio_interval(found, limits=limits, asked=asked)


def t_ends(value: float, influence: Array, *, limits: Ends = NO_ENDS, level: float = 0.95) -> Ends:
    """Student's t interval of a figure whose clusters move it by `influence` [k]; None if none does."""
    k, error = len(influence), standard_error(influence)
    if k < 2 or error == 0:
        return NO_ENDS
    half = float(stdtrit(k - 1, (1 + level) / 2)) * error
    return _within(value - half, value + half, limits)


def unseen(value: float, clusters: int, limits: Ends, level: float) -> Ends:
    """Bounds of a mean where every one of `clusters` clusters has the same `value`: none has zero width.

    A part q of clusters that was not seen at all, at one limit, moves the mean by q of the way to it; q is at
    most ``1 - (tail)^(1/clusters)`` with certainty 1 - tail. None where a limit is missing.
    """
    low, high = limits
    if low is None or high is None:
        return NO_ENDS
    q = 1 - ((1 - level) / 2) ** (1 / clusters)
    return value - q * (value - low), value + q * (high - value)


def studentised(found: Ratio, asked: Asked = USUAL) -> Array | None:
    """Studentised departures ``(R* - R) / se*`` of resamples, [B] in ascending order.

    None where Student's t is used instead: above 50 clusters, below 4, and where more than one resample in
    fifty has no spread (hardly any cluster departs from the rest). Fewer such lie infinitely far out.
    """
    k = found.clusters
    if not FEWEST <= k <= RESAMPLED:
        return None
    rows = max(1, CELLS // k)
    u, part = found.influence, found.part
    # [k, 5]: Σu, Σpart, Σu², Σu·part, Σpart² of a resample come from one product with its weights.
    moments = np.stack([u, part, u * u, u * part, part * part], axis=1)
    found_t = []
    for start in range(0, asked.draws, rows):
        sums = _draws(k, asked.draws, asked.seed)[start : start + rows] @ moments  # [rows, 5]
        moved = sums[:, 0] / sums[:, 1]
        square = sums[:, 2] - 2 * moved * sums[:, 3] + moved**2 * sums[:, 4]
        # Rounding leaves something of a spread that is 0.
        square[square <= 1e-12 * sums[:, 2]] = 0.0
        error = np.sqrt(k / (k - 1) * square) / sums[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            found_t.append(np.where(error > 0, moved / error, np.where(moved < 0, -np.inf, np.inf)))
    departures = np.concatenate(found_t)
    return np.sort(departures) if np.isinf(departures).mean() <= SPREADLESS else None


@lru_cache(maxsize=8)
def _draws(k: int, draws: int, seed: int) -> Array:
    """How often each of `k` clusters is in each of `draws` resamples, [draws, k]; figures of k share them."""
    counts = counted(np.random.default_rng([seed, k]).integers(k, size=(draws, k)), k)
    counts.flags.writeable = False
    return counts


def _ends(
    value: float, error: float, departures: Array | None, clusters: int, asked: Asked
) -> tuple[float, float]:
    if departures is None:
        half = float(stdtrit(clusters - 1, asked.tails[1])) * error
        return value - half, value + half
    below, above = np.quantile(departures, asked.tails, method="nearest")
    return value - float(above) * error, value - float(below) * error


def _within(low: float, high: float, limits: Ends) -> Ends:
    least: Value = limits[0]
    most: Value = limits[1]
    low, high = (low if least is None else max(low, least)), (high if most is None else min(high, most))
    return (low if np.isfinite(low) else None), (high if np.isfinite(high) else None)
