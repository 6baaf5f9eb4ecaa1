"""Agreement of two rankings."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.errors import BadData
from evenhand.records import Value


def kendall_tau(a: ArrayLike, b: ArrayLike) -> Value:
    """Kendall's tau-b between two rankings by value, in [-1, 1]; pairs with a NaN are left out.

    None when fewer than two pairs are left or one side is constant.

    Raises:
        BadData: the two differ in length.
    """
    from scipy.stats import kendalltau

    x, y = (np.asarray(v, dtype=np.float64).ravel() for v in (a, b))
    if len(x) != len(y):
        raise BadData(f"Rankings of {len(x)} and {len(y)} things.", mend="Rank the same things in both.")
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 2:
        return None
    tau = float(kendalltau(x[both], y[both]).statistic)
    return tau if np.isfinite(tau) else None
