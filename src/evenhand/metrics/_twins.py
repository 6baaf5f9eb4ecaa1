"""What the counterfactual figures share: the rates of the same people under each value of the attribute."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadData
from evenhand.metrics import Array, Metric
from evenhand.metrics._decisions import on_arrays
from evenhand.records import Value

TWINS = "decision.*"


def twin_rates(decisions: Array, weights: Array) -> Array:
    """P(decision = 1) with everybody set to each group: `decisions` [n, k], `weights` [B, n] to [B, k].

    A person with an undecided twin is left out of all groups, or the groups would hold unlike people.
    """
    decided: NDArray[np.bool_] = np.asarray(np.isfinite(decisions).all(axis=1))
    total = weights @ decided.astype(np.float64)
    sums = weights @ np.where(decided[:, None], decisions, 0.0)
    found: Array = np.divide(sums, total[:, None], out=np.full(sums.shape, np.nan), where=total[:, None] > 0)
    return found


def on_twins(
    metric: Metric, decisions: ArrayLike, weights: ArrayLike | None = None, **columns: ArrayLike
) -> Value:
    """`metric` on decisions [n, k] that somebody already has: each person's as a member of each group.

    Raises:
        BadData: `decisions` has not two dimensions, the lengths differ, or there are values beside 0, 1, NaN.
    """
    table = np.asarray(decisions, dtype=np.float64)
    if table.ndim != 2:
        raise BadData(
            f"The decisions have {table.ndim} dimension{'' if table.ndim == 1 else 's'}.",
            mend="Give a row for each person and in it the decision as a member of each group.",
        )
    twins = {f"decision.{group}": column for group, column in enumerate(table.T)}
    return on_arrays(metric, np.zeros(len(table)), weights, **twins, **columns)
