"""Tests of two rates that may be looked at every day: wealth that grows only when a tolerance is broken.

Somebody bets, from a capital of 1, against "the rates of two groups differ by no more than the tolerance".
While that holds, no betting scheme makes the capital reach 1/alpha, at any time, with a probability above
alpha (Ville 1939); so a capital of 20 is an alert at alpha .05, however often one looked.

**What comes in.** Blocks: for a short time and one stratum, the items n and the ones x of both groups. The
order of the items inside a block is not needed. A block in which either group is empty tells nothing of a
difference (a rate may drift) and is not bet on.

**The bet on a block**, against ``u1 p1 - u2 p2 <= d`` (difference: u = (1, 1) and d the tolerance; ratio
p2/p1 >= tau: u = (tau, 1) and d = 0). Before the outcomes are looked at, a stake ``s >= 0`` and a point
``(m1, m2)`` with ``u1 m1 - u2 m2 = d`` are chosen from the sizes n1, n2 and from earlier blocks. The capital
is multiplied by ::

    F = prod_i (1 + a1 (x_1i - m1)) * prod_i (1 - a2 (x_2i - m2)),      a1 = s u1 / n1,   a2 = s u2 / n2

of which only the counts matter: ``(1 + a1 (1 - m1))^x1 (1 - a1 m1)^(n1 - x1) ...``. Every item of the larger
group counts, none is left without a partner; with n1 = n2 = 1 it is the usual bet on a pair in order of
arrival, taken apart into its two sides.

**Proof.** Let the items of a block be independent given the past, with rates p_1i and p_2i that may differ
from item to item, and let their means over the block p1, p2 meet the tolerance. Every factor is positive, and
``log(1 + y) <= y``, so ``log E[F] <= sum_i a1 (p_1i - m1) - sum_i a2 (p_2i - m2) = s (u1 (p1 - m1) - u2 (p2 -
m2)) = s (u1 p1 - u2 p2 - d) <= 0``. The capital is therefore a non-negative supermartingale over the blocks.
A drift that both groups share changes nothing in this.

**Which stake** is best depends on the unknown difference: the capital is spread over the stakes `BETS` by
their `SHARES`, and evenly over both orders of the groups. `BETS` are in units of the shift of each group's
log odds that they wait for, with ``s = bet * 2 n1 n2 / (n1 + n2)``, at most `MOST` times the smaller group.

**Which point**: the level of the last `MEMORY` items of each group; the first block only teaches it.

Sources: Shafer 2021, JRSS A 184, 407-431; Waudby-Smith & Ramdas 2024, JRSS B 86, 1-27; Chugg et al. 2023,
"Auditing fairness by betting"; Turner, Ly & Gruenwald 2024, "Generic E-variables for exact sequential
k-sample tests" (blocks of two groups). Numpy only; arrays in, arrays out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

BETS = (0.45, 0.2, 0.12, 0.07, 0.02, 0.005)
SHARES = (1, 2, 2, 1, 1, 1)  # of the capital: more on the stakes that a ratio of .7 to .9 calls for
MOST = 0.6  # of a stake per item: keeps every factor above 0 at each point in [-1/2, 3/2]
MEMORY = 5000.0  # items of a group that make up its level: old ones fade, so that the level follows a season
ORDERS = 2  # the first group higher, and the second group higher


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What two rates may differ by: a `gap` of at most `limit`, or a `ratio` low/high of at least `limit`.

    `limit` is a number or an array that broadcasts with the streams; of a gap it lies in [-1, 1] (a negative
    one says that the first group is lower by so much), of a ratio in (0, 1].
    """

    kind: Literal["gap", "ratio"]
    limit: ArrayLike

    def slope(self) -> Array:
        """u1: the weight of the first rate [*S]; that of the second is 1."""
        limit = np.asarray(self.limit, float)
        return limit if self.kind == "ratio" else np.ones_like(limit)

    def point(self, level: Array) -> tuple[Array, Array]:
        """A pair of rates around `level` [*S] that just meet the tolerance."""
        limit = np.asarray(self.limit, float)
        if self.kind == "gap":
            return level + limit / 2, level - limit / 2
        first = np.minimum(2 * level / (1 + limit), 1.0)
        return first, limit * first


@dataclass(frozen=True, slots=True)
class Wealth:
    """The capital of streams of shape S, and what the next stakes are chosen by.

    `logs` [*S, order, bet] are log capitals times the number of bets, so that their mean is the capital.
    `seen` [*S, group, 2] are the items and the ones that make up the level of each group; they fade, and so
    are no whole numbers.
    """

    logs: Array
    seen: Array

    def log_orders(self) -> Array:
        """Log capital of each order [*S, 2]: the first group above its tolerance, the second above."""
        return log_mean(self.logs)

    def log_e(self) -> Array:
        """Log capital [*S] against "neither group is above the other by more than the tolerance"."""
        return log_mean(self.log_orders())

    def as_lists(self) -> dict[str, Any]:
        """Plain lists for JSON; `from_lists` gives the very same numbers back."""
        return {"logs": self.logs.tolist(), "seen": self.seen.tolist()}

    @classmethod
    def from_lists(cls, lists: Mapping[str, Any]) -> Wealth:
        """What `as_lists` wrote."""
        return cls(np.asarray(lists["logs"], float), np.asarray(lists["seen"], float))


def start(
    shape: Sequence[int] = (), *, seen: ArrayLike | None = None, shares: Sequence[float] = SHARES
) -> Wealth:
    """A capital of 1 in every stream, spread over the stakes by `shares`.

    `seen` hands on what an earlier test, or that of an earlier version, had learnt of the level.
    """
    known = np.zeros((*shape, 2, 2)) if seen is None else np.asarray(seen, float)
    spread = np.log(np.asarray(shares, float) / np.mean(shares))
    return Wealth(np.tile(spread, (*shape, ORDERS, 1)), known)


def bet(
    wealth: Wealth, n: ArrayLike, x: ArrayLike, tolerance: Tolerance, *, bets: Sequence[float] = BETS
) -> Wealth:
    """The capital after one more block of every stream: items `n` and ones `x` [*S, group].

    Raises:
        ValueError: there are more ones than items, or fewer than none.
    """
    items, ones = np.asarray(n, float), np.asarray(x, float)
    if not bool(np.all((ones >= 0) & (ones <= items))):
        raise ValueError("Each x must lie between 0 and its n.")
    found, level = wealth.seen, _level(wealth.seen)
    stake = np.where(staked(wealth, items), _harmonic(items), 0.0)[..., None] * np.asarray(bets, float)
    stake = np.minimum(stake, MOST * items.min(-1)[..., None])  # [*S, bet]
    first, second = tolerance.point(level)
    slope = tolerance.slope()
    logs = wealth.logs.copy()
    for order, (a, b) in enumerate(((0, 1), (1, 0))):
        up = _gain(stake * slope[..., None], items[..., a], ones[..., a], first)
        logs[..., order, :] += up + _gain(-stake, items[..., b], ones[..., b], second)
    return Wealth(logs, _remembered(found, items, ones))


def staked(wealth: Wealth, n: ArrayLike) -> NDArray[np.bool_]:
    """Whether `bet` stakes anything on a block of `n` items [*S, group]: each group is in it and is known."""
    on: NDArray[np.bool_] = (wealth.seen[..., 0].min(-1) > 0) & (np.asarray(n).min(-1) > 0)
    return on


def bet_all(wealth: Wealth, n: ArrayLike, x: ArrayLike, tolerance: Tolerance) -> Wealth:
    """The capital after blocks `n`, `x` [block, *S, group] in order of time; the same as `bet` one by one."""
    for items, ones in zip(np.asarray(n, float), np.asarray(x, float), strict=True):
        wealth = bet(wealth, items, ones, tolerance)
    return wealth


def log_mean(logs: Array) -> Array:
    """The log of the mean of ``exp(logs)`` over the last axis; without overflow."""
    top = logs.max(-1, keepdims=True)
    mean: Array = np.log(np.exp(logs - top).mean(-1)) + top[..., 0]
    return mean


def _level(seen: Array) -> Array:
    """The mean of both groups' rates [*S], each drawn a little towards 1/2."""
    level: Array = ((seen[..., 1] + 0.5) / (seen[..., 0] + 1)).mean(-1)
    return level


def _harmonic(items: Array) -> Array:
    """``2 n1 n2 / (n1 + n2)`` [*S]: how many items in each of two equal groups would tell as much."""
    both: Array = 2 * items.prod(-1) / np.maximum(items.sum(-1), 1)
    return both


def _gain(stake: Array, items: Array, ones: Array, point: Array) -> Array:
    """Log of the product of one group's factors [*S, bet]; 0 without a stake."""
    share = stake / np.maximum(items, 1)[..., None]
    hit, miss = np.log1p(share * (1 - point)[..., None]), np.log1p(-share * point[..., None])
    gain: Array = ones[..., None] * hit + (items - ones)[..., None] * miss
    return gain


def _remembered(seen: Array, items: Array, ones: Array) -> Array:
    total = seen + np.stack([items, ones], -1)
    kept: Array = total * np.minimum(1.0, MEMORY / np.maximum(total[..., :1], 1.0))
    return kept
