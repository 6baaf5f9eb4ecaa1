"""How far the shares of groups lie from a baseline: tests, total variation with an interval, equivalence.

A high p-value of the test is no evidence of balance: with few rows nothing is ever rejected. What shows
balance is equivalence, an upper end of the distance below a tolerance.

The total variation ``½ Σ |p - q|`` is the largest of the differences P(A) - Q(A) over sets A of groups, and
the set of the groups that are above their baseline is the one where it is reached. So its ends are Wilson's
for the share of that set. Where the test does not reject, the lower end is 0: an observed distance is above 0
also where there is none. Where it does, the lower end is taken after the distance's bias, which a parametric
bootstrap estimates.

Sources: Pearson 1900; Read & Cressie 1988 (exact multinomial); Wilson 1927; Schuirmann 1987.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, gammaln, xlogy

from evenhand.errors import BadData
from evenhand.stats.proportions import normal_quantile, wilson
from evenhand.stats.ratios import Array

LEAST_EXPECTED = 5.0  # below which the chi-square distribution is not to be trusted
_OUTCOMES = 200_000  # tables of counts that are enumerated before draws take their place
_DRAWS = 99_999
_BIAS_DRAWS = 400


@dataclass(frozen=True)
class Departure:
    """How the shares of groups depart from a baseline.

    Attributes:
        statistic: Pearson's chi-square.
        p_value: that the shares are the baseline's; exact where an expected count is below 5.
        exact: whether the p-value is of the multinomial distribution itself.
        distance: the total variation, 0 to 1.
        low, high: its 95 % interval.
        bound: the upper end of its 90 % interval, which is below every tolerance at which balance is shown.
    """

    statistic: float
    p_value: float
    exact: bool
    distance: float
    low: float
    high: float
    bound: float


def departure(counts: ArrayLike, shares: ArrayLike, *, seed: int = 0) -> Departure | None:
    """How `counts` [k] depart from the baseline's `shares` [k]; None where nothing was counted, or k < 2.

    Counts may be fractions: those of weighted rows at their effective number.

    Raises:
        BadData: a share is not above 0, or they do not sum to 1.
    """
    seen, q = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    _check(q)
    n = float(seen.sum())
    if not n > 0 or len(seen) < 2:
        return None
    statistic, p_value, exact = goodness_of_fit(seen, q, seed=seed)
    distance = total_variation(seen / n, q)
    low, high = _ends(seen, q, normal_quantile(0.95), rejected=p_value < 0.05, seed=seed)
    bound = _ends(seen, q, normal_quantile(0.90), rejected=False, seed=seed)[1]
    return Departure(statistic, p_value, exact, distance, low, high, bound)


def _check(q: Array) -> None:
    if (q <= 0).any() or abs(q.sum() - 1) > 1e-6:
        raise BadData(
            f"The shares of a baseline are above 0 and sum to 1; these sum to {q.sum():g}.",
            mend="Give every group its share, such as A=0.5,B=0.5.",
        )


def total_variation(p: Array, q: Array) -> float:
    """Half the sum of the absolute differences of two rows of shares."""
    return float(np.abs(p - q).sum() / 2)


def goodness_of_fit(seen: Array, q: Array, *, seed: int = 0) -> tuple[float, float, bool]:
    """Pearson's chi-square of counts against shares, its p-value, and whether that is exact.

    The exact one is the probability of all outcomes that are no more probable than the one seen: enumerated
    where there are up to 200 000 of them, by 99 999 draws above.
    """
    n = float(seen.sum())
    expected = n * q
    statistic = float((np.square(seen - expected) / expected).sum())
    if expected.min() >= LEAST_EXPECTED:
        return statistic, float(chdtrc(len(seen) - 1, statistic)), False
    return statistic, exact_multinomial(np.rint(seen), q, seed=seed), True


def exact_multinomial(seen: Array, q: Array, *, seed: int = 0) -> float:
    """P-value of counts [k] under shares [k]: of all outcomes that are at most as probable as this one."""
    n, k = int(seen.sum()), len(seen)
    own = _log_probability(seen[None], q)[0]
    if comb(n + k - 1, k - 1) <= _OUTCOMES:
        outcomes = np.array(list(_compositions(n, k)), dtype=np.float64)
        chances = _log_probability(outcomes, q)
        return float(min(1.0, np.exp(chances[chances <= own + 1e-9]).sum()))
    drawn = np.random.default_rng(seed).multinomial(n, q / q.sum(), size=_DRAWS)
    return float(((_log_probability(drawn.astype(np.float64), q) <= own + 1e-9).sum() + 1) / (_DRAWS + 1))


def _log_probability(outcomes: Array, q: Array) -> Array:
    """Log-probabilities [B] of multinomial `outcomes` [B, k]."""
    n = outcomes.sum(axis=1)
    return np.asarray(gammaln(n + 1) + (xlogy(outcomes, q) - gammaln(outcomes + 1)).sum(axis=1))


def _compositions(n: int, k: int) -> Iterator[tuple[int, ...]]:
    """Every way to write `n` as a sum of `k` counts."""
    if k == 1:
        yield (n,)
        return
    for first in range(n + 1):
        for rest in _compositions(n - first, k - 1):
            yield (first, *rest)


def _ends(seen: Array, q: Array, z: float, *, rejected: bool, seed: int) -> tuple[float, float]:
    """Both ends of the distance at normal quantile `z`; the lower one is 0 unless the test `rejected`."""
    n = float(seen.sum())
    p = seen / n
    # The sets of the groups that are furthest above their baseline: one of them is that of all above it.
    order = np.argsort(q - p, kind="stable")[:-1]
    share, base = np.cumsum(p[order]), np.cumsum(q[order])
    lows, highs = (ends - base for ends in wilson(share, np.full(len(share), n), z))
    high = max(float(highs.max()), 0.0)
    if not rejected:
        return 0.0, high
    low = float(lows[int(np.argmax(share - base))])
    return max(low - _bias(p, q, n, seed), 0.0), high


def _bias(p: Array, q: Array, n: float, seed: int) -> float:
    """By how much the distance of a sample of size `n` is above that of its population, on average.

    Draws of the multinomial. A share that is not shown to differ from its baseline is drawn at that: the
    shares that were seen have their own chance in them, and would make the bias too small. With two groups
    far from the baseline it is 0.
    """
    shown = np.abs(p - q) > normal_quantile(0.95) * np.sqrt(q * (1 - q) / n)
    base = np.where(shown, p, q)
    base /= base.sum()
    drawn = np.random.default_rng(seed).multinomial(max(int(n), 1), base, size=_BIAS_DRAWS) / max(int(n), 1)
    return max(float(np.abs(drawn - q).sum(axis=1).mean() / 2) - total_variation(base, q), 0.0)
