"""Percentile intervals of bootstrap values, and equivalence by them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.errors import UsageError
from evenhand.records import Value

MAX_UNDEFINED = 0.05  # share of resamples that may be undefined before an interval is refused


def interval(values: ArrayLike, level: float = 0.95) -> tuple[Value, Value]:
    """Percentile interval of bootstrap `values` [B] at `level`: (low, high).

    Undefined (non-finite) resamples are left out; when more than 5 % are undefined, or none is left, there
    is no honest interval and both ends are None. With few clusters (below about 20) percentile intervals are
    too narrow.

    Raises:
        UsageError: `level` is not strictly between 0 and 1.
    """
    check_level(level)
    array = np.asarray(values, dtype=np.float64).ravel()
    defined = array[np.isfinite(array)]
    if not len(defined) or len(defined) < (1 - MAX_UNDEFINED) * len(array):
        return None, None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def check_level(level: float) -> None:
    """Refuse a level that no interval can have.

    Raises:
        UsageError: `level` is not strictly between 0 and 1.
    """
    if not 0 < level < 1:
        raise UsageError(f"The level {level} is not between 0 and 1.", mend="Write 0.95 for a 95 % interval.")


def tost(values: ArrayLike, margin: float, alpha: float = 0.05) -> bool:
    """Whether equivalence to zero is shown: the (1 - 2·alpha) interval of `values` [B] within ±`margin`.

    False means "not shown", also when the interval is undefined; it never means "different".

    Raises:
        UsageError: `margin` is not positive, or `alpha` not strictly between 0 and 0.5.
    """
    if not margin > 0:
        raise UsageError(
            f"The margin {margin} is not positive.", mend="Give the largest harmless difference."
        )
    low, high = interval(values, 1 - 2 * alpha)
    return low is not None and high is not None and -margin < low and high < margin
