"""UB: does the answer follow an explicit hint at the group?

Source: LFTF, equations 2 and 3 (two groups); the form for k groups is ours and equals it at k = 2.
"""

from __future__ import annotations

import numpy as np

from evenhand.errors import BadData
from evenhand.metrics import Array, Columns, mean_metric
from evenhand.metrics._groups import GROUPS, LFTF, probabilities


def ub(p: Array, hint: Array) -> Array:
    """Per-item ``P_h - mean_{j≠h} P_j``: `p` [n, k] and the hinted group's index `hint` [n] to [n].

    NaN where a probability or the hint is undefined; all NaN when k < 2. Any constant predictor averages 0
    over items whose hints are balanced.

    Raises:
        BadData: a hint is not the index of a group.
    """
    n, k = p.shape
    known = np.isfinite(hint)
    if not np.isin(hint[known], np.arange(k)).all():
        raise BadData(f"A hint is not one of the {k} groups' indices.", mend=f"Use 0 to {k - 1}, or None.")
    if k < 2:
        return np.full(n, np.nan)
    hinted = p[np.arange(n), np.where(known, hint, 0).astype(int)]
    others = (p.sum(axis=1) - hinted) / (k - 1)
    return np.where(known, hinted - others, np.nan)


def _per_item(table: Columns) -> Array:
    return ub(probabilities(table), table["hint"])


component = mean_metric(
    "ub",
    "UB: following an explicit hint",
    per_item=_per_item,
    unit="probability",
    ideal=1.0,
    chance=0.0,
    low=-1.0,
    high=1.0,
    source=f"{LFTF}, eq. 2-3; k groups: minus the mean of the others",
    reading="1 always follows the hint, 0 ignores it, negative contradicts it. Read it beside afgb: a model "
    "without any gap also ignores every hint. Hints must be balanced, or a constant answer does not score 0.",
    needs=(GROUPS, "hint"),
)
