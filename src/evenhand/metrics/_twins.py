"""What the counterfactual figures share: the rates of the same people under each value of the attribute."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.metrics import Array, Metric
from evenhand.metrics import _arrays as arrays
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
    table = twins(decisions)
    if not table.shape[1]:  # no group at all: nothing to compare
        table = np.full((len(table), 1), np.nan)
    own = {f"decision.{group}": column for group, column in enumerate(table.T)}
    return on_arrays(metric, None, weights, **own, **columns)


def twins(decisions: ArrayLike) -> Array:
    """`decisions` [n, k] as numbers: a row a person, a column the decision as a member of one group.

    Raises:
        BadData: not two dimensions, no numbers, or values beside 0, 1 and NaN (undecided).
    """
    expected = (
        "Give a row for each person and in it the decision as a member of each group: 1 for a favourable "
        "one, 0 for the other and NaN where there is none."
    )
    found = arrays.numbers(decisions, "decisions", expected, ndim=2)
    return arrays.one_of(found, (0, 1), "decisions", expected, nan=True)
