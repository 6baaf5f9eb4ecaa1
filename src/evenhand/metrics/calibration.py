"""How far the groups' calibration errors lie apart.

The expected calibration error (ECE) of a group takes its people in the order of their probability, cuts them
into 15 bins of exactly equal mass (a person on a border counts in part on either side, people with one
probability count equally), and adds up the bins' |mean probability - mean outcome|, each by its mass. Source:
Nixon et al. 2019 for bins of equal mass; the gap over groups is largest minus smallest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import spread
from evenhand.metrics._people import EMPTY, group_metric, on_arrays
from evenhand.records import Value

BINS = 15
_SHARES = "probability and outcome take a number from 0 to 1 for each person."
FEW = 50  # people of a group below which its calibration error is mostly chance


def calibration_gap(
    y_true: ArrayLike, probability: ArrayLike, group: ArrayLike, weights: ArrayLike | None = None
) -> Value:
    """Largest minus smallest ECE over the groups; None when a group is empty or there is but one.

    `y_true` [n] is 1 or 0, `probability` [n] that of the favourable decision, `group` [n] any labels.

    Raises:
        BadData: the arrays differ in length, or an outcome is neither 0 nor 1.
    """
    return on_arrays(CALIBRATION_GAP, group, weights, probability=probability, outcome=y_true)


def calibration_error(
    probability: ArrayLike, outcome: ArrayLike, weights: ArrayLike, bins: int = BINS
) -> Array:
    """ECE of `probability` against `outcome` [n] under `weights` [B, n]: [B], NaN without any weight.

    Raises:
        BadData: different lengths, a value outside 0 to 1 or missing, or a negative or not finite weight.
    """
    found = {"probability": probability, "outcome": outcome}
    p, y = (
        arrays.shares(arrays.numbers(values, f"{name} values", _SHARES), f"{name} values", _SHARES, nan=False)
        for name, values in found.items()
    )
    arrays.one_length(len(p), "probabilities", outcome=y)
    return _error(p, y, arrays.weights(weights, len(p), ndim=2), bins)


def _error(probability: Array, outcome: Array, weights: Array, bins: int = BINS) -> Array:
    """`calibration_error` of checked arrays: `probability` and `outcome` [n], `weights` [B, n] to [B]."""
    # `levels` [L] are the distinct probabilities, `level` [n] each person's; `mass` and `excess` are [B, L].
    levels, level = np.unique(probability, return_inverse=True)
    mass = np.zeros((len(weights), len(levels)))
    excess = np.zeros_like(mass)
    # All people with the same probability make one step, so that their order cannot matter.
    np.add.at(mass.T, level, weights.T)
    np.add.at(excess.T, level, (weights * (probability - outcome)).T)
    total = mass.sum(axis=1)
    borders = np.linspace(0.0, 1.0, bins + 1)
    found = np.full(len(weights), np.nan)
    for row in np.flatnonzero(total > 0):
        # The running sum at the borders of equal mass, by interpolation; its differences are the bins'.
        at = np.concatenate([[0.0], np.cumsum(mass[row])]) / total[row]
        sums = np.concatenate([[0.0], np.cumsum(excess[row])]) / total[row]
        found[row] = np.abs(np.diff(np.interp(borders, at, sums))).sum()
    return found


def _calibration_gap(table: Columns, weights: Array) -> Array:
    probability, outcome = (np.nan_to_num(table[name]) for name in ("probability", "outcome"))
    errors = []
    for members in table.group("member").T:
        own = members == 1
        errors.append(_error(probability[own], outcome[own], weights[:, own]))
    return spread(np.stack(errors, axis=1))


CALIBRATION_GAP = group_metric(
    "calibration_gap",
    "Calibration gap between groups",
    _calibration_gap,
    ("probability", "outcome", "member.*"),
    unit="difference of calibration errors",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source="Nixon et al. 2019, arXiv:1904.01685 (bins of equal mass); the gap is largest minus smallest",
    reading="0 is probabilities that are equally far from the outcomes for all groups, near or far. With "
    "fewer than 50 people in a group it is mostly chance. It has no direction: the remarks say which group's "
    "probabilities are too high or too low." + EMPTY,
)


components = (CALIBRATION_GAP,)
