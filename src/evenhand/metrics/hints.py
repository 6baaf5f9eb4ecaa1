"""Whether answers follow an explicit hint at a group.

Source: LFTF, equations 2 and 3 (two groups); the form for k groups is ours and equals it at k = 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, Columns, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import GROUPS, LFTF, probabilities


def ub(p: ArrayLike, hint: ArrayLike) -> Array:
    """Per-item ``P_h - mean_{j≠h} P_j``: `p` [n, k] and the hinted group's index `hint` [n] to [n].

    NaN where a probability or the hint is undefined; all NaN when k < 2. Any constant predictor averages 0
    over items whose hints are balanced.

    Raises:
        BadData: an entry of `p` that is no probability, other lengths, or a hint that is not the index of a
            group or NaN.
    """
    shares = arrays.probabilities(p)
    last = shares.shape[1] - 1
    expected = f"Use 0 to {last}, the index of the hinted group, or NaN where there is no hint."
    hints = arrays.numbers(hint, "hints", expected)
    arrays.one_length(len(shares), "items", hint=hints)
    return _followed(shares, arrays.one_of(hints, np.arange(last + 1), "hints", expected))


def _followed(p: Array, hint: Array) -> Array:
    """Per item the hinted group's probability minus the others' mean: `p` [n, k] and `hint` [n] to [n]."""
    n, k = p.shape
    known = np.isfinite(hint)
    if k < 2:
        return np.full(n, np.nan)
    hinted = p[np.arange(n), np.where(known, hint, 0).astype(int)]
    others = (p.sum(axis=1) - hinted) / (k - 1)
    return np.where(known, hinted - others, np.nan)


def _ub(table: Columns) -> Array:
    return _followed(probabilities(table), table["hint"])


UB = mean_metric(
    "ub",
    "UB: following an explicit hint",
    per_item=_ub,
    unit="probability",
    ideal=1.0,
    chance=0.0,
    low=-1.0,
    high=1.0,
    short="UB",
    source=f"{LFTF}, eq. 2-3; k groups: minus the mean of the others",
    reading="1 always follows the hint, 0 ignores it, negative contradicts it. Read it with afgb: a model "
    "without any gap also ignores every hint. Hints must be balanced, or a constant answer does not score 0.",
    needs=(GROUPS, "hint"),
)


components = (UB,)
