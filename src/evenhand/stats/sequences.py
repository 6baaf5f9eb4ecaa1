"""Confidence sequences: intervals that hold at all times at once, for a rate and for a difference of two.

Each is what a test by betting has not rejected so far, at alpha/2 a side.

**A rate.** For items with rates p_1, p_2, ... that may drift, and a fixed shift g of the log odds,
``exp(g X_n - sum_i log(1 + p_i (e^g - 1)))`` is a martingale from 1. The logarithm is concave, so with the
mean rate p over the n items so far ``exp(g X_n - n log(1 + p (e^g - 1)))`` is never above it. The mixture
over the shifts `SHIFTS` therefore reaches 2/alpha at the true *mean rate so far* with a probability of at
most alpha/2, ever: the sequence covers the mean since the start, drift or not, and needs only the two totals.

**A difference.** `evenhand.stats.betting` against every tolerance of a grid. A stake does not depend on the
tolerance, and the point moves linearly with it: each log capital is then concave and falling in the
tolerance. A straight line between two points of the grid lies below it, so reading the limits off the lines
is on the safe side, and a grid of `GAPS` is fine enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.stats.betting import Array, Tolerance, Wealth, bet, log_mean, start

SHIFTS = 2.0 * 0.65 ** np.arange(20)  # of the log odds: 2 to .0006
GAPS = np.linspace(-1, 1, 41)
STAKES = tuple(
    (0.5 * 0.6 ** np.arange(14)).tolist()
)  # .5 to .0007: a sequence narrows for longer than a test
_STEPS = 60  # halvings: an interval of length 1 to below the last digit


def rate_sequence(x: ArrayLike, n: ArrayLike, alpha: float = 0.05) -> tuple[Array, Array]:
    """Limits of the mean rate so far, from the ones `x` and the items `n` since the start (of one shape).

    They hold at all times together with a probability of 1 - `alpha`; 0 to 1 where n is 0.
    """
    ones, items = np.broadcast_arrays(np.asarray(x, float), np.asarray(n, float))
    return _lower(ones, items, alpha), 1 - _lower(items - ones, items, alpha)


def _lower(ones: Array, items: Array, alpha: float) -> Array:
    """The rate at which the capital on "the rate is higher than this" is 2/alpha; 0 where it never is."""
    low, high = np.zeros(ones.shape), np.where(items > 0, ones / np.maximum(items, 1), 0.0)
    gain = SHIFTS * ones[..., None]
    for _ in range(_STEPS):
        middle = (low + high) / 2
        logs = gain - items[..., None] * np.log1p(middle[..., None] * np.expm1(SHIFTS))
        rejected = log_mean(logs) >= np.log(2 / alpha)
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    return low


def start_differences(shape: tuple[int, ...] = ()) -> Wealth:
    """The capital against every difference of `GAPS`, before any block; resumable as every `Wealth` is."""
    return start((*shape, len(GAPS)), shares=(1,) * len(STAKES))


def watch_differences(wealth: Wealth, n: ArrayLike, x: ArrayLike) -> Wealth:
    """It after one more block: items `n` and ones `x` [*S, group]."""
    items, ones = (np.asarray(one, float)[..., None, :] for one in (n, x))  # [*S, 1, group]
    shape = (*wealth.seen.shape[:-2], 2)
    return bet(
        wealth,
        np.broadcast_to(items, shape),
        np.broadcast_to(ones, shape),
        Tolerance("gap", GAPS),
        bets=STAKES,
    )


def differences(wealth: Wealth, alpha: float = 0.05) -> tuple[Array, Array]:
    """Limits of the difference of the rates, first less second [*S], at all times with 1 - `alpha`.

    It covers a difference that is the same in every block (the rates themselves may drift). Where it is not,
    the limits may cross: no single difference fits what was seen.
    """
    logs = wealth.logs  # [*S, gap, order, bet]
    return _reached(logs[..., 0, :], alpha), -_reached(logs[..., 1, :], alpha)


def _reached(logs: Array, alpha: float) -> Array:
    """The largest difference [*S] at which the capital [*S, gap, bet] is 2/alpha; -1 where at none."""
    needed = np.log(2 / alpha)
    rejected = np.logical_and.accumulate(log_mean(logs) >= needed, axis=-1)  # [*S, gap]
    last = np.maximum(rejected.sum(-1) - 1, 0)  # the segment in which it falls below
    after = np.minimum(last + 1, len(GAPS) - 1)
    left, right = (np.take_along_axis(logs, at[..., None, None], -2)[..., 0, :] for at in (last, after))
    low, high = np.zeros(last.shape), np.ones(last.shape)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        inside = log_mean(left + middle[..., None] * (right - left)) >= needed
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    limit: Array = GAPS[last] + low * (GAPS[after] - GAPS[last])
    return np.where(rejected[..., 0], limit, -1.0)
