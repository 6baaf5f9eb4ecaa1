"""Paired answers before and after: how much was lost at most, and how many items would tell.

Source: Tango 1998, Statistics in Medicine 17, 891-908: the score interval of the difference of two paired
shares, here with the numbers divided by the design effect of the paired differences over clusters. McNemar's
test bounds no loss, and Newcombe's interval is too short where few answers flip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from evenhand.errors import BadData
from evenhand.records import Value
from evenhand.stats.proportions import FEW_HOLD
from evenhand.stats.ratios import Array, Codes, mean_of
from evenhand.stats.resampling import held

State = Literal["kept", "lost", "undecided"]
_HALVINGS = 60


@dataclass(frozen=True)
class Loss:
    """The share of answers lost, net, and its two one-sided bounds.

    `lost` items went from right to wrong and `won` from wrong to right, of `n` that are worth `worth`
    independent ones.
    """

    value: float
    low: float
    high: float
    n: int
    worth: float
    lost: int
    won: int

    @property
    def flips(self) -> float:
        """The share of answers that changed."""
        return (self.lost + self.won) / self.n

    def state(self, margin: float) -> State:
        """``kept`` where the bounds exclude a loss of `margin`, ``lost`` where the loss is certainly beyond
        it, else ``undecided``: too few items to tell."""
        if self.high < margin:
            return "kept"
        return "lost" if self.low > margin else "undecided"

    def items_to_decide(self, margin: float, alpha: float = 0.05) -> int | None:
        """How many such items would have excluded `margin`, were the flips even; None if none would."""
        needed = items_needed(margin, self.flips, alpha)
        return None if needed is None else int(np.ceil(needed * self.n / self.worth))


def tango(lost: ArrayLike, won: ArrayLike, n: ArrayLike, z: float) -> tuple[Array, Array]:
    """Tango's score limits of ``(lost - won) / n`` at normal quantile `z`; all arrays of one shape.

    The two roots δ of ``|lost - won - n δ| = z sqrt(n (2 q + δ(1 - δ)))`` (his equation 20), q the share of
    the won under the constraint that the difference is δ. Numbers need not be whole.
    """
    b, c, size = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (lost, won, n)))
    return -_upper(c, b, size, z), _upper(b, c, size, z)


def _upper(b: Array, c: Array, n: Array, z: float) -> Array:
    low, high = (b - c) / n, np.ones_like(n)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        outside = _score(b, c, n, middle) < -z
        low, high = np.where(outside, low, middle), np.where(outside, middle, high)
    return np.asarray(high)


def _score(b: Array, c: Array, n: Array, delta: Array) -> Array:
    """The score statistic of the difference `delta`; minus infinity where it is impossible."""
    linear = (2 * n - b + c) * delta - b - c
    q = (np.sqrt(np.maximum(linear**2 + 8 * n * c * delta * (1 - delta), 0.0)) - linear) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    distance = b - c - n * delta
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(variance > 1e-14, distance / np.sqrt(np.maximum(variance, 1e-300)), -np.inf)
    return np.where(np.abs(distance) <= 1e-14 * n, 0.0, found)


def loss_bounds(
    before: ArrayLike, after: ArrayLike, codes: Codes | None = None, *, alpha: float = 0.05
) -> Loss | None:
    """The loss of right answers from `before` to `after` [n] (1 or 0), with one-sided bounds at 1 - `alpha`.

    Each item's answer stands beside its own; `codes` [n] number the clusters. Items that are undefined (NaN)
    on either side are left out; None where none is left. Where nothing was lost the bound is not below
    ``1 - alpha^(1/worth)``, the exact one for a loss that was never seen.

    Raises:
        BadData: the two differ in length.
    """
    old, new = (np.asarray(v, dtype=np.float64).ravel() for v in (before, after))
    if len(old) != len(new):
        raise BadData(f"{len(old)} answers before and {len(new)} after.", mend="Compare the same items.")
    used = np.isfinite(old) & np.isfinite(new)
    d = (old - new)[used]
    if not len(d):
        return None
    n, worth = len(d), worth_of(d, None if codes is None else codes[used], alpha)
    lost, won = int((d > 0).sum()), int((d < 0).sum())
    low, high = tango(lost * worth / n, won * worth / n, worth, float(ndtri(1 - alpha)))
    unseen = 1 - alpha ** (1 / worth)
    least = min(float(low), -unseen) if won == 0 and lost == 0 else float(low)
    most = max(float(high), unseen) if lost == 0 else float(high)
    return Loss(float(d.mean()), least, most, n, worth, lost, won)


def worth_of(d: Array, codes: Codes | None, alpha: float = 0.05) -> float:
    """How many independent items the paired differences `d` [n] over clusters are worth, at most n.

    n over the design effect, its few degrees of freedom paid for as in Korn & Graubard's interval. With fewer
    than 5 clusters that hold a flip the design effect cannot be estimated: at most the number of clusters.
    """
    n = len(d)
    clusters, items = mean_of(d, codes), mean_of(d)
    if clusters is None or items is None or clusters.clusters in (1, n):
        return float(n) if codes is None or clusters is None or clusters.clusters == n else 1.0
    worth = float(n)
    if clusters.error > 0 and items.error > 0:
        scale = float(stdtrit(n - 1, 1 - alpha) / stdtrit(clusters.clusters - 1, 1 - alpha)) ** 2
        worth = min(worth, n * (items.error / clusters.error) ** 2 * scale)
    flipped = len(held(codes[d != 0])) if codes is not None else n
    return min(worth, float(clusters.clusters)) if flipped < FEW_HOLD else worth


def items_needed(margin: float, flips: float, alpha: float = 0.05) -> int | None:
    """How many independent items exclude a loss of `margin`, when a share `flips` of them flips evenly.

    The smallest n at which Tango's upper bound for ``n flips / 2`` lost and won is below `margin`, and at
    which a loss that was never seen is excluded too: about 300, 640, 1400 and 2800 at 0, 2, 5 and 10 % flips
    for one point at one-sided 95 %. None where `margin` is not above 0.
    """
    if not margin > 0:
        return None
    z = float(ndtri(1 - alpha))

    def enough(n: int) -> bool:
        even = n * flips / 2
        bound = max(float(tango(even, even, n, z)[1]), 1 - alpha ** (1 / n))
        return bool(bound < margin)

    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def change_ends(
    before: ArrayLike, after: ArrayLike, codes: Codes | None = None, *, level: float = 0.95
) -> tuple[Value, Value]:
    """Two-sided interval of the change after - before of a share: Tango's.

    Where no answer changed it is that of changes which were never seen, as in `loss_bounds`; where some did,
    the score interval alone says how far the net change may be from what was seen. None with fewer than two
    clusters.
    """
    alpha = (1 - level) / 2
    found = loss_bounds(before, after, codes, alpha=alpha)
    if found is None or found.worth < 2:
        return None, None
    if not (found.lost or found.won):
        return -found.high, -found.low
    scale = found.worth / found.n
    low, high = tango(found.won * scale, found.lost * scale, found.worth, float(ndtri(1 - alpha)))
    return float(low), float(high)
