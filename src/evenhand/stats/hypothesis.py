"""P-values of a mean difference and of two groups, over clusters.

The sign-flip test of paired differences assumes that they are symmetric: with 20 clusters of skewed ones it
rejects a true null at 10 % instead of 5, and studentising it changes nothing, for the sum of squares is the
same under every flip and the studentised sum grows with the sum. So the test of a mean is the bootstrap-t
that its interval is made of, and sign flips are left where resampling cannot go. For two groups a studentised
permutation is exact under equal distributions; with 10 clusters of three times the spread against 40 it
still rejects at 10 %, Welch's t at 5, so the larger of their p-values is taken.

Sources: Efron 1982 and Hall 1988 (bootstrap-t); Janssen 1997 and Chung & Romano 2013 (studentised
permutation); Phipson & Smyth 2010 (Monte-Carlo p-values).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from evenhand.errors import BadData
from evenhand.metrics import Array
from evenhand.records import Value
from evenhand.stats.means import USUAL, Asked, studentised
from evenhand.stats.permutation import Alternative, check_alternative, paired_permutation
from evenhand.stats.ratios import Codes, mean_of
from evenhand.stats.resampling import renumbered


def mean_test(
    differences: ArrayLike,
    codes: Codes | None = None,
    alternative: Alternative = "two-sided",
    *,
    asked: Asked = USUAL,
) -> Value:
    """P-value that the mean of `differences` [n] is zero; `codes` [n] number their clusters.

    Bootstrap-t up to 50 clusters (the share of studentised departures at least as far out, 1 added to
    numerator and denominator; two-sided twice the smaller tail), Student's t above, and sign flips where no
    cluster departs from the mean or fewer than 4 are there. NaN is left out; None when all are NaN.

    Raises:
        UsageError: an unknown alternative.
    """
    check_alternative(alternative)
    d = np.asarray(differences, dtype=np.float64).ravel()
    found = mean_of(d, codes)
    if found is None:
        return None
    if found.error == 0 or found.clusters < 4:
        names = None if codes is None else [str(code) for code in codes]
        return paired_permutation(d, names, asked.seed, alternative=alternative)
    t, departures = found.value / found.error, studentised(found, asked)
    if departures is None:
        less = float(stdtr(found.clusters - 1, t))
        greater = float(stdtr(found.clusters - 1, -t))
    else:
        # In a world of mean zero the statistic is a departure: how often is one as large, as small?
        size = len(departures)
        greater = (size - int(np.searchsorted(departures, t, "left")) + 1) / (size + 1)
        less = (int(np.searchsorted(departures, t, "right")) + 1) / (size + 1)
    return {"greater": greater, "less": less}.get(alternative, min(1.0, 2 * min(greater, less)))


def two_groups(
    x: ArrayLike,
    first: ArrayLike,
    codes: Codes | None = None,
    alternative: Alternative = "two-sided",
    *,
    asked: Asked = USUAL,
) -> Value:
    """P-value that two groups have one mean of `x` [n]: studentised permutation of clusters between them.

    `first` [n] is true for the items of the first group. Whole clusters (`codes` [n], None: every item its
    own) change sides; the statistic is the difference of the means over its standard error without assuming
    equal variances (Welch's, over clusters). The p-value is not below that of Welch's t. ``greater``
    is for a larger mean of the first group. None where a group has fewer than two clusters with a defined
    value.

    Raises:
        BadData: a cluster holds items of both groups, so that it cannot change sides.
        UsageError: an unknown alternative.
    """
    check_alternative(alternative)
    values, side = np.asarray(x, dtype=np.float64).ravel(), np.asarray(first, dtype=bool).ravel()
    used = np.isfinite(values)
    places = np.arange(int(used.sum())) if codes is None else renumbered(codes[used])[1]
    a, b = np.bincount(places, weights=values[used]), np.bincount(places)
    of_first = np.bincount(places, weights=side[used])
    if ((of_first > 0) & (of_first < b)).any():
        raise BadData(
            "A cluster holds items of both groups.", mend="Pair the items, and test the differences."
        )
    member = of_first > 0
    k, k_first = len(member), int(member.sum())
    if min(k_first, k - k_first) < 2:
        return None
    # Centring makes no difference to the statistic, and keeps its variance free of cancellation.
    a = a - a.sum() / b.sum() * b
    moments = np.stack([a, b, a * a, a * b, b * b], axis=1)  # [k, 5]
    t, freedom = (float(one[0]) for one in _welch(member[None].astype(np.float64), moments))
    rng = np.random.default_rng([asked.seed, k])
    keys = rng.random((asked.draws, k))
    sides = keys <= np.partition(keys, k_first - 1, axis=1)[:, k_first - 1 : k_first]
    drawn = _welch(sides.astype(np.float64), moments)[0]
    slack = 1e-9 * max(1.0, abs(t)) if np.isfinite(t) else 0.0
    greater = (int((drawn >= t - slack).sum()) + 1) / (asked.draws + 1)
    less = (int((drawn <= t + slack).sum()) + 1) / (asked.draws + 1)
    if np.isfinite(t):
        greater, less = max(greater, float(stdtr(freedom, -t))), max(less, float(stdtr(freedom, t)))
    return {"greater": greater, "less": less}.get(alternative, min(1.0, 2 * min(greater, less)))


def _welch(sides: Array, moments: Array) -> tuple[Array, Array]:
    """Welch's statistic and degrees of freedom, [B] each, of the first `sides` [B, k] against the others.

    `moments` [k, 5] are the clusters' sums, sizes, and their squares and product.
    """
    means, variances, freedoms = [], [], []
    for side in (sides, 1.0 - sides):
        size = side.sum(axis=1)
        a, b, aa, ab, bb = (side @ moments).T
        mean = a / b
        means.append(mean)
        variances.append(size / (size - 1) * np.maximum(aa - 2 * mean * ab + mean**2 * bb, 0.0) / b**2)
        freedoms.append(size - 1)
    difference, variance = means[0] - means[1], variances[0] + variances[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(difference == 0, 0.0, np.sign(difference) * np.inf)
        t = np.where(variance > 0, difference / np.sqrt(variance), far)
        share = sum(v**2 / df for v, df in zip(variances, freedoms, strict=True))
        return t, np.where(variance > 0, variance**2 / share, np.inf)
