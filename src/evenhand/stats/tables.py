"""Tests of independence in a table of counts: does a share depend on the group?"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc
from scipy.stats import ncx2

from evenhand.stats.compositions import LEAST_EXPECTED
from evenhand.stats.gaps import equal_rates
from evenhand.stats.ratios import Array


def independence(counts: Array) -> tuple[float, float, int] | None:
    """Pearson's chi-square of a table [r, c], its p-value and its degrees of freedom.

    Rows and columns without any count are left out; None where fewer than two of either are left.
    """
    used = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(used.shape) < 2:
        return None
    expected = np.outer(used.sum(axis=1), used.sum(axis=0)) / used.sum()
    statistic = float((np.square(used - expected) / expected).sum())
    freedom = (used.shape[0] - 1) * (used.shape[1] - 1)
    return statistic, float(chdtrc(freedom, statistic)), freedom


def equal_shares(won: Array, people: Array, *, seed: int = 0) -> tuple[float, float] | None:
    """Chi-square that `won` [k] of `people` [k] is one share in all groups, and the p-value.

    Where a count of fewer than 5 is expected, the p-value is that of the largest difference under random
    membership. None where fewer than two groups have anybody, or all shares are 0, or all 1.
    """
    own = people > 0
    won, people = won[own], people[own]
    found = independence(np.stack([won, people - won]))
    if found is None:
        return None
    share = won.sum() / people.sum()
    if min(share, 1 - share) * people.min() >= LEAST_EXPECTED:
        return found[0], found[1]
    drawn = equal_rates(
        [(np.rint(won)[None], np.rint(people)[None])],
        lambda rates: np.ptp(rates[0], axis=1),
        seed=seed,
        draws=1999,
    )
    return None if drawn is None else (found[0], drawn.p)


def cramer(statistic: float, n: float, shape: tuple[int, int]) -> float:
    """Cramer's V of a chi-square: 0 for independence, 1 where one side tells the other."""
    return float(np.sqrt(statistic / (n * max(min(shape) - 1, 1))))


def cramer_ends(
    statistic: float, n: float, shape: tuple[int, int], freedom: int, level: float = 0.95
) -> tuple[float, float]:
    """Interval of Cramer's V by the non-centrality of its chi-square (Smithson 2003).

    A chi-square below what independence gives on average counts as that for the upper end, which would
    otherwise be 0 where a few rows happen to agree.
    """
    tail = (1 - level) / 2

    def at(wanted: float, statistic: float = statistic) -> float:
        low, high = 0.0, statistic + 50.0 + 10 * np.sqrt(statistic + freedom)
        if _below(statistic, freedom, 0.0) <= wanted:
            return 0.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if _below(statistic, freedom, middle) > wanted else (low, middle)
        return low

    scale = n * max(min(shape) - 1, 1)
    most = at(tail, max(statistic, float(freedom)))
    return float(np.sqrt(at(1 - tail) / scale)), float(min(1.0, np.sqrt(most / scale)))


def _below(statistic: float, freedom: int, shift: float) -> float:
    return float(ncx2.cdf(statistic, freedom, max(shift, 1e-9)))
