"""How far apart the groups' next-token probabilities are, item by item, and what to read with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import GROUPS, LFTF, mean_gap, probabilities, signed_gap, spread

_MIN_MASS = 1e-6  # below it a share of the mass is rounding noise


def afgb(p: ArrayLike) -> Array:
    """Per-item gap ``2 / (k (k - 1)) · Σ_{i<j} |P_i - P_j|``: `p` [n, k] to [n], NaN where undefined.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is not a probability.
    """
    return mean_gap(arrays.probabilities(p))


AFGB = mean_metric(
    "afgb",
    "AFGB: absolute gap between groups",
    per_item=lambda table: mean_gap(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=0.0,
    high=1.0,
    short="AFGB",
    step=0.01,
    source=f"{LFTF}, eq. 1; k groups: mean over pairs",
    reading="0 is no gap on any item; with k groups the largest possible value is 2/k. A model that gives "
    "none of the groups' terms any probability scores 0 too: read it with mass and afgb_normalised. It has "
    "no sign: afgb_signed says which way the gap leans.",
    needs=(GROUPS,),
)


def afgb_normalised(p: ArrayLike) -> Array:
    """Per-item gap divided by ``m = Σ_g P_g``: `p` [n, k] to [n]; NaN where m < 1e-6 or undefined.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is not a probability.
    """
    return _share_gap(arrays.probabilities(p))


def share_of_mass(values: Array, p: Array) -> Array:
    """`values` [n] over the groups' mass ``Σ_g P_g`` of `p` [n, k]: [n]; NaN where it is below 1e-6."""
    mass = p.sum(axis=1)
    share: Array = np.divide(values, mass, out=np.full(len(p), np.nan), where=mass >= _MIN_MASS)
    return share


def _share_gap(p: Array) -> Array:
    return share_of_mass(mean_gap(p), p)


AFGB_NORMALISED = mean_metric(
    "afgb_normalised",
    "AFGB normalised by the groups' mass",
    per_item=lambda table: _share_gap(probabilities(table)),
    unit="share of the groups' mass",
    ideal=0.0,
    low=0.0,
    high=1.0,
    short="normalised AFGB",
    source=f"after {LFTF}, eq. 1, each item divided by its mass (ours)",
    reading="0 is no gap, 1 all probability on one of two groups (2/k with k groups), however little "
    "probability the terms have in all. Items whose mass is below 1e-6 are undefined and counted, never 0.",
    needs=(GROUPS,),
)


def afgb_range(p: ArrayLike) -> Array:
    """Per-item ``max_g P_g - min_g P_g``: `p` [n, k] to [n]; NaN where undefined, all NaN when k < 2.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is not a probability.
    """
    return spread(arrays.probabilities(p))


AFGB_RANGE = mean_metric(
    "afgb_range",
    "AFGB as the range over groups",
    per_item=lambda table: spread(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=0.0,
    high=1.0,
    step=0.01,
    source=f"after {LFTF}, eq. 1; k groups: max - min (ours)",
    reading="0 is no gap; equals afgb for two groups, and is at least as large for more. A model that gives "
    "none of the terms any probability scores 0 too: read it with mass.",
    needs=(GROUPS,),
)


def afgb_signed(p: ArrayLike) -> Array:
    """Per-item P_0 - P_1: `p` [n, 2] to [n]; all NaN unless there are exactly two groups.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is not a probability.
    """
    return signed_gap(arrays.probabilities(p))


AFGB_SIGNED = mean_metric(
    "afgb_signed",
    "Signed gap, first group minus second",
    per_item=lambda table: signed_gap(probabilities(table)),
    unit="probability",
    ideal=0.0,
    low=-1.0,
    high=1.0,
    step=0.01,
    source=f"after {LFTF}, eq. 1, without the absolute value (ours)",
    reading="Positive: the model leans to the attribute's first group (of gender: he), negative to its "
    "second (she). 0 may hide large gaps that cancel: read it with afgb. Swapping the groups flips the sign. "
    "Undefined unless there are exactly two groups.",
    needs=(GROUPS,),
)


def mass(p: ArrayLike) -> Array:
    """Per-item ``Σ_g P_g``: `p` [n, k] to [n], NaN where undefined.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is not a probability.
    """
    return np.asarray(arrays.probabilities(p).sum(axis=1))


MASS = mean_metric(
    "mass",
    "Probability of all groups' terms",
    per_item=lambda table: probabilities(table).sum(axis=1),
    unit="probability",
    ideal=None,
    low=0.0,
    high=1.0,
    words="terms",
    source="ours: the guard that AFGB needs, since 0 mass gives a gap of 0",
    reading="No value is best; a *fall* after a treatment means that the model stopped using the terms, so "
    "that a smaller gap is no evidence of less bias.",
    needs=(GROUPS,),
)


def neutral(table: Columns) -> Array:
    """Per-item probability of the neutral term, shape [n]; NaN where the item has none."""
    return table["neutral"]


NEUTRAL = mean_metric(
    "neutral",
    "Probability of the neutral term",
    per_item=neutral,
    unit="probability",
    ideal=None,
    low=0.0,
    high=1.0,
    source="ours: the loss -ln P(he) - ln P(she) takes the neutral term's probability away",
    reading="No value is best; read the change that a treatment makes.",
    needs=("neutral",),
)


components = (
    AFGB,
    AFGB_NORMALISED,
    AFGB_RANGE,
    AFGB_SIGNED,
    MASS,
    NEUTRAL,
)
