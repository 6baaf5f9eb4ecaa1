"""Intervals and tests of how far groups lie apart: max - min, min / max, sums and maxima of two such gaps.

A gap over groups is the largest of the differences over all ordered pairs of groups, and it is never below
its ideal of 0. So its upper end is the largest of the pairs' upper ends (a bound of the pair that is truly
the largest is among them), and its lower end the largest of their lower ends at a quantile that allows for
having looked at all pairs (Tukey's: 1.96 for 2 groups, 2.57 for 4). A ratio is the same on another scale.
Bootstrapped gaps of equal groups never hold 0: no resample is without a gap.

Sources: Newcombe 1998, Statistics in Medicine 17, 873-890; combining limits (MOVER), Zou & Donner 2008; of
ratios, Donner & Zou 2012, Statistical Methods in Medical Research 21, 347-359; the studentised range, Tukey
1953; twins, Tango 1998.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from evenhand.stats.means import t_ends
from evenhand.stats.paired import tango
from evenhand.stats.proportions import differences, effective_size, normal_quantile, share_ends, wilson
from evenhand.stats.ratios import NO_ENDS, Array, Codes, Ends, Ratio, mean_of

How = Literal["sum", "max"]
Differences = Callable[[float], tuple[Array, Array, Array]]  # z to the pairs' difference, low, high, each [P]


@dataclass(frozen=True)
class Rates:
    """The groups' shares [k] and how many independent people each of them is worth [k]."""

    p: Array
    n: Array


def group_rates(x: Array, members: Array, codes: Codes | None = None) -> Rates | None:
    """The groups' means of `x` [n], which lies in 0 to 1: `members` [n, k] are 1 or 0, `codes` [n] clusters.

    The sizes are effective ones, by each group's design effect. None where a group has nobody, or there are
    fewer than two groups.
    """
    belongs = np.isfinite(x)[:, None] & (members > 0)
    found = [
        mean_of(x[own], None if codes is None else codes[own], members[own, g])
        for g, own in enumerate(belongs.T)
        if own.any()
    ]
    if len(found) < 2 or len(found) < members.shape[1]:
        return None
    means = [one for one in found if one is not None]
    # A mean of numbers between 0 and 1 varies less than a share; only a share's size is bounded by its n.
    sizes = [effective_size(one, scaled=codes is not None) for one in means]
    return Rates(np.array([one.value for one in means]).clip(0, 1), np.array(sizes))


def between(rates: Rates) -> Differences:
    """Newcombe's limits of all ordered pairs of independent groups."""
    first, second = _pairs(len(rates.p))

    def at(z: float) -> tuple[Array, Array, Array]:
        low, high = differences(rates.p, rates.n, (first, second), z)
        return rates.p[first] - rates.p[second], low, high

    return at


def within(decisions: Array, codes: Codes | None = None) -> Differences | None:
    """Tango's limits of all ordered pairs of columns of `decisions` [n, k], 1 or 0: twins of one person.

    Rows with an undefined entry are left out; None where no row is left or k < 2.
    """
    used = np.isfinite(decisions).all(axis=1)
    own = decisions[used]
    if not len(own) or decisions.shape[1] < 2:
        return None
    first, second = _pairs(own.shape[1])
    differences = own[:, first] - own[:, second]  # [n, P]
    places = None if codes is None else codes[used]
    worth = np.array([len(own) / design_effect(d, places) for d in differences.T])
    scale = worth / len(own)
    won, lost = (differences > 0).sum(axis=0) * scale, (differences < 0).sum(axis=0) * scale

    def at(z: float) -> tuple[Array, Array, Array]:
        low, high = tango(won, lost, worth, z)
        return differences.mean(axis=0), low, high

    return at


def design_effect(d: Array, codes: Codes | None) -> float:
    """The variance of the mean of `d` [n] over clusters beside that over items; at least 1."""
    if codes is None or len(d) < 2:
        return 1.0
    items, clusters = mean_of(d), mean_of(d, codes)
    if items is None or clusters is None or items.error == 0:
        return 1.0
    return max(1.0, (clusters.error / items.error) ** 2)


def gap_ends(
    stages: Sequence[Differences],
    groups: int,
    *,
    how: How = "sum",
    scale: float = 1.0,
    level: float = 0.95,
    bounded: bool = True,
) -> Ends:
    """Interval of a gap over `groups` groups, or of the sum or the larger (`how`) of two such gaps.

    `stages` are the pairs' limits (`between`, `within`), one entry a gap; the result is `scale` times theirs.
    A sum of two gaps is the largest of the signed sums of the stages' differences, whose limits are combined
    by MOVER. Never below 0 where `bounded`; else the lower end shows how far above 0 chance lifts a gap.
    """
    if not stages or groups < 2:
        return NO_ENDS
    tail = normal_quantile(level)
    upper = _combined([stage(tail) for stage in stages], how)[1]
    lower = _combined([stage(range_quantile(groups, len(stages), how, level)) for stage in stages], how)[0]
    low = float(lower.max())
    return scale * (max(low, 0.0) if bounded else low), scale * float(upper.max())


def ratio_ends(rates: Rates, *, level: float = 0.95, bounded: bool = True) -> Ends:
    """Interval of the smallest over the largest of the groups' `rates`; never above 1 where `bounded`.

    The mirror image of `gap_ends`: the smallest of the pairs' lower ends, and the smallest of their upper
    ends at Tukey's quantile. None where all rates are 0.
    """
    if not (rates.p > 0).any():
        return NO_ENDS
    low = _ratios(rates, normal_quantile(level))[0].min()
    high = _ratios(rates, range_quantile(len(rates.p), 1, "sum", level))[1].min()
    return float(low), float(min(high, 1.0) if bounded else high)


def _ratios(rates: Rates, z: float) -> tuple[Array, Array]:
    """MOVER limits of p_i / p_j over all ordered pairs, each [P]; infinite where p_j may be 0."""
    low, high = wilson(rates.p, rates.n, z)
    first, second = _pairs(len(rates.p))
    p1, l1, u1 = rates.p[first], low[first], high[first]
    p2, l2, u2 = rates.p[second], low[second], high[second]
    product = p1 * p2
    below, above = l1 * (2 * p1 - l1), u1 * (2 * p1 - u1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Donner & Zou's lower limit with its root below the line, where nothing cancels or vanishes.
        root = np.sqrt(np.maximum(product**2 - below * u2 * (2 * p2 - u2), 0.0))
        least = np.where(below > 0, below / (product + root), 0.0)
        divisor = l2 * (2 * p2 - l2)
        root = np.sqrt(np.maximum(product**2 - above * divisor, 0.0))
        most = np.where(divisor > 0, (product + root) / divisor, np.inf)
    return least, most


def _combined(stages: Sequence[tuple[Array, Array, Array]], how: How) -> tuple[Array, Array]:
    """Low and high of every signed sum of the stages' differences, or of each difference alone (max)."""
    if how == "max":
        return np.concatenate([low for _, low, _ in stages]), np.concatenate([high for _, _, high in stages])
    sums, below, above = np.zeros(1), np.zeros(1), np.zeros(1)
    for d, low, high in stages:
        sums = np.add.outer(sums, d).ravel()
        below = np.add.outer(below, np.square(d - low)).ravel()
        above = np.add.outer(above, np.square(high - d)).ravel()
    return sums - np.sqrt(below), sums + np.sqrt(above)


def _pairs(k: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    first, second = np.nonzero(~np.eye(k, dtype=bool))
    return first, second


@lru_cache(maxsize=64)
def range_quantile(groups: int, stages: int = 1, how: How = "sum", level: float = 0.95) -> float:
    """The z at which none of the pairs' differences is beyond chance, with certainty `level`.

    For one gap Tukey's: the quantile of the range of `groups` standard normal numbers over sqrt(2). For the
    sum of two gaps that of the sum of two ranges over 2, and for the larger of two that of their maximum.
    """
    step = 0.005
    r = np.arange(0.0, 14.0, step)
    cdf = _range_cdf(r, groups)
    if how == "max":
        return float(np.interp(level, cdf**stages, r) / np.sqrt(2))
    density = np.diff(cdf)
    total = density
    for _ in range(stages - 1):
        total = np.convolve(total, density)
    # A bin's mass lies at its middle, so the sum of two lies at the end of a bin.
    at = step * (np.arange(len(total)) + stages / 2)
    reached = np.cumsum(total) - total / 2
    return float(np.interp(level, reached, at) / np.sqrt(2 * stages))


def _range_cdf(r: Array, groups: int) -> Array:
    """P(range of `groups` standard normal numbers <= r): ``k ∫ φ(x) [Φ(x + r) - Φ(x)]^(k - 1) dx``."""
    x = np.linspace(-8.0, 8.0, 1601)
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    spread = ndtr(x[:, None] + r) - ndtr(x)[:, None]  # [x, r]
    return np.asarray(np.clip(groups * density @ spread ** (groups - 1), 0.0, 1.0))


def icat_ends(lms: Ratio, ss: Ratio, *, level: float = 0.95) -> Ends:
    """Interval of ICAT in percent, ``min(LMS SS, LMS (100 - SS)) / 50``, from both as shares in 0 to 1.

    The minimum of the two products' ends, each by Student's t over clusters (terms): at SS 50 the resampled
    minimum is below the truth in almost every resample. Where nothing varies in a figure, the products of the
    figures' own ends bound it. None with fewer than two clusters.
    """
    names = np.union1d(lms.names, ss.names)
    if len(names) < 2:
        return NO_ENDS
    u, v = np.zeros((2, len(names)))
    u[np.searchsorted(names, lms.names)], v[np.searchsorted(names, ss.names)] = lms.influence, ss.influence
    if lms.error == 0 or ss.error == 0:
        return _corners(lms, ss, level)
    both = [
        t_ends(
            200 * lms.value * side, 200 * (side * u + lms.value * sign * v), limits=(0.0, 100.0), level=level
        )
        for side, sign in ((ss.value, 1.0), (1 - ss.value, -1.0))
    ]
    lows, highs = zip(*both, strict=True)
    return min((one for one in lows if one is not None), default=None), min(
        (one for one in highs if one is not None), default=None
    )


def _corners(lms: Ratio, ss: Ratio, level: float) -> Ends:
    ends = [share_ends(one, level=level) for one in (lms, ss)]
    if None in ends[0] + ends[1]:
        return NO_ENDS
    (a, b), (c, d) = ((float(low or 0), float(high or 0)) for low, high in ends)
    return 200 * a * min(c, 1 - d), min(200 * b * min(d, 1 - c), 100.0)


@dataclass(frozen=True)
class EqualRates:
    """What a gap would be if the groups had equal rates: its p-value, and its mean, over permutations."""

    p: float
    expected: float


def equal_rates(
    stages: Sequence[tuple[Array, Array]],
    figure: Callable[[Sequence[Array]], Array],
    *,
    draws: int = 9999,
    seed: int = 0,
) -> EqualRates | None:
    """Permutation test of a figure of groups: membership is drawn anew within strata, `draws` times.

    `stages` are the figure's parts (true positives and false positives, say): each a pair of successes and
    people by stratum and group [S, k]; nobody leaves the stratum. `figure` makes [B] values out of each
    stage's rates [B, k]; large is unequal. The number of successes that a group draws is multivariate
    hypergeometric, so no person is shuffled. None where a group is empty or the figure undefined; resamples
    without a value (0 over 0) count as equal and are left out of the mean.
    """
    if any(people.shape[-1] == 0 or (people.sum(axis=0) == 0).any() for _, people in stages):
        return None
    observed = float(figure([_rates(won[None], people) for won, people in stages])[0])
    if not np.isfinite(observed):
        return None
    rng = np.random.default_rng(seed)
    drawn = figure([_rates(_shuffled(won, people, draws, rng), people) for won, people in stages])
    defined = drawn[np.isfinite(drawn)]
    hits = int((defined >= observed - 1e-12).sum())
    return EqualRates((hits + 1) / (draws + 1), float(defined.mean()) if len(defined) else observed)


def _rates(won: Array, people: Array) -> Array:
    """The groups' rates [B, k] over all strata of `won` [B, S, k] of `people` [S, k]."""
    return np.asarray(won.sum(axis=1) / people.sum(axis=0))


def _shuffled(won: Array, people: Array, draws: int, rng: np.random.Generator) -> Array:
    """Successes by stratum and group under random membership, [draws, S, k]."""
    return np.stack(
        [
            rng.multivariate_hypergeometric(size.astype(np.int64), int(got.sum()), size=draws)
            for got, size in zip(won, people, strict=True)
        ],
        axis=1,
    )
