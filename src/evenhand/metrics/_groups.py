"""What the group metrics share: gaps between the groups' probabilities of one item."""

from __future__ import annotations

import numpy as np

from evenhand.metrics import Array, Columns

GROUPS = "p.*"
LFTF = "LFTF: Locating First and Then Fine-Tuning for Mitigating Gender Bias in Large Language Models"
MIN_MASS = 1e-6  # below it a share of the mass is rounding noise


def probabilities(table: Columns) -> Array:
    """The groups' probabilities, shape [n, k], in the benchmark's group order; NaN where undefined."""
    return table.group("p")


def mean_gap(p: Array) -> Array:
    """Mean absolute difference over all pairs of groups: `p` [n, k] to [n], all NaN when k < 2.

    ``2 / (k (k - 1)) · Σ_{i<j} |P_i - P_j|``; at k = 2 it is |P_0 - P_1|.
    """
    k = p.shape[1]
    if k < 2:
        return np.full(len(p), np.nan)
    both_orders = np.abs(p[:, :, None] - p[:, None, :]).sum(axis=(1, 2))
    return np.asarray(both_orders / (k * (k - 1)))


def signed_gap(p: Array) -> Array:
    """P_0 - P_1 (he minus she): `p` [n, 2] to [n]; all NaN unless there are exactly two groups."""
    if p.shape[1] != 2:
        return np.full(len(p), np.nan)
    return np.asarray(p[:, 0] - p[:, 1])
