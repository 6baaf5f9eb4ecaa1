"""How well scores tell groups apart: the area under the ROC curve, with an interval over items.

The area is the chance that an item of the group scores above one of the others, ties counting one half.
Its standard error is over the items' placements (DeLong, DeLong & Clarke-Pearson 1988), and areas of
several groups and folds are averaged placement by placement, so that their covariance is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import rankdata

from evenhand.stats.proportions import normal_quantile
from evenhand.stats.ratios import Array

SHARED, LEARNT = 1.4, 1.12
"""By how much a standard error over folds is too small: each is scored by what was learnt on the others, so
that what they share by chance counts in all (Nadeau & Bengio 2003). By simulation 1.4 where nothing can be
learnt, and chance alone decides which way round scores go; 0.98 to 1.14 where all folds learn the same."""
SOON, LATE = (3.0, 6.0), (6.0, 15.0)
"""At how many standard errors from one half folds begin to learn the same, and at how many they do: a few
values' shares, and many coefficients."""
LEAST = 5  # items on either side, below which no area is taken


@dataclass(frozen=True)
class Area:
    """An area with its 95 % interval, the z of its distance from one half, and the p that it is no larger."""

    value: float
    low: float
    high: float
    z: float
    p_value: float
    bound: float


def area(
    scores: Array, groups: NDArray[np.intp], folds: NDArray[np.intp], settles: tuple[float, float] = SOON
) -> Area | None:
    """The mean area of telling each group from all others, over groups and folds.

    `scores` [n, k] are the items' scores for each group, `groups` [n] their numbers and `folds` [n] the parts
    within which scores are compared; `settles` is `SOON` or `LATE`, by how much is learnt. None where no
    group has 5 items on both sides in any fold.
    """
    parts: list[float] = []
    influence = np.zeros(len(groups))
    for fold in np.unique(folds):
        own = np.flatnonzero(folds == fold)
        for g in range(scores.shape[1]):
            found = _placements(scores[own, g], groups[own] == g)
            if found is not None:
                parts.append(found[0])
                influence[own] += found[1]
    if not parts:
        return None
    value, error = float(np.mean(parts)), float(np.sqrt(np.square(influence).sum())) / len(parts)
    return _with_ends(value, error, settles)


def _with_ends(value: float, error: float, settles: tuple[float, float]) -> Area:
    z95, z90 = normal_quantile(0.95), normal_quantile(0.90)
    z = (value - 0.5) / (SHARED * error) if error > 0 else float(np.sign(value - 0.5)) * 40.0
    error *= too_small(abs(value - 0.5) / error, settles) if error > 0 else 1.0
    return Area(
        value,
        max(value - z95 * error, 0.0),
        min(value + z95 * error, 1.0),
        z,
        float(ndtr(-z)),
        min(value + z90 * error, 1.0),
    )


def too_small(distance: float, settles: tuple[float, float] = SOON) -> float:
    """The factor of an area's standard error, `distance` of which it lies from one half."""
    return float(np.interp(distance, settles, [SHARED, LEARNT]))


def _placements(scores: Array, member: NDArray[np.bool_]) -> tuple[float, Array] | None:
    """The area of one group against the rest, and each item's influence on it [n]; None with too few."""
    inside, outside = int(member.sum()), int((~member).sum())
    if min(inside, outside) < LEAST:
        return None
    ranks = rankdata(scores)
    value = (ranks[member].sum() - inside * (inside + 1) / 2) / (inside * outside)
    influence = np.zeros(len(scores))
    # Of an item of the group, the share of the others below it; of another, the share of the group above it.
    influence[member] = ((ranks[member] - rankdata(scores[member])) / outside - value) / inside
    influence[~member] = (1 - (ranks[~member] - rankdata(scores[~member])) / inside - value) / outside
    return float(value), influence
