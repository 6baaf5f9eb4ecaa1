"""The probability that the groups' terms have together: what the gaps are gaps of."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import GROUPS, probabilities


def mass(p: ArrayLike) -> Array:
    """Per-item ``Σ_g P_g``: `p` [n, k] to [n], NaN where undefined.

    Raises:
        BadData: `p` has not two dimensions, or an entry that is no probability.
    """
    return np.asarray(arrays.probabilities(p).sum(axis=1))


component = mean_metric(
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
