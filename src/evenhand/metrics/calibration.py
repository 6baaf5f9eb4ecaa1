"""How far the groups' calibration errors lie apart.

The expected calibration error (ECE) of a group takes its people in the order of their probability, cuts them
into 15 bins of exactly equal mass (a person on a border counts in part on either side, people with one
probability count equally), and adds up the bins' |mean probability - mean outcome|, each by its mass. Source:
Nixon et al. 2019 for bins of equal mass; the gap over groups is largest minus smallest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.metrics import Array, Columns
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import spread
from evenhand.metrics._people import EMPTY, group_metric, on_arrays
from evenhand.records import Value

BINS = 15
_SHARES = "probability and outcome take a number from 0 to 1 for each person."
_CACHED = 2**17  # weights that are worked on at a time
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
    order = np.argsort(probability, kind="stable")
    # `first` [L] are the places of the distinct probabilities in `order`, `excess` [n] each person's.
    ordered = probability[order]
    first, excess = np.flatnonzero(np.append(True, np.diff(ordered) > 0)), ordered - outcome[order]
    found = np.full(len(weights), np.nan)
    rows = max(1, _CACHED // max(len(order), 1)) if len(order) else 0
    for start in range(0, len(weights) if rows else 0, rows or 1):
        block = np.take(weights[start : start + rows], order, axis=1)
        # Running sums of the weight and of the excess, which begin with 0, each [rows, L + 1].
        mass, sums = _running(block, first), _running(block * excess, first)
        total = mass[:, -1:]
        # The running sum at the borders of equal mass, by interpolation; its differences are the bins'.
        at = _between(mass, sums, total * np.linspace(0.0, 1.0, bins + 1))
        with np.errstate(invalid="ignore"):  # without any weight: 0 / 0
            found[start : start + rows] = np.abs(np.diff(at, axis=1)).sum(axis=1) / total[:, 0]
    return found


def _running(values: Array, first: NDArray[np.intp]) -> Array:
    """0 and the running sums of `values` [B, n] over the steps that begin at `first` [L]: [B, L + 1].

    All people with the same probability make one step, so that their order cannot matter.
    """
    found = np.zeros((len(values), len(first) + 1))
    steps = values if len(first) == values.shape[1] else np.add.reduceat(values, first, axis=1)
    np.cumsum(steps, axis=1, out=found[:, 1:])
    return found


def _between(x: Array, y: Array, borders: Array) -> Array:
    """`y` [B, L + 1] at the `borders` [B, k] of the ascending `x` [B, L + 1] by interpolation: [B, k]."""
    # All rows are bisected at once: x of `low` <= border, and x of `high` is above it or the last.
    low = np.zeros(borders.shape, dtype=np.intp)
    high = np.full_like(low, x.shape[1] - 1)
    for _ in range(int(x.shape[1]).bit_length()):
        middle = (low + high) // 2
        below = np.take_along_axis(x, middle, axis=1) <= borders
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    x0, x1, y0, y1 = (np.take_along_axis(of, to, axis=1) for of in (x, y) for to in (low, high))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(x1 > x0, (borders - x0) / (x1 - x0), 1.0)
    return np.asarray(y0 + np.clip(share, 0.0, 1.0) * (y1 - y0))


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
