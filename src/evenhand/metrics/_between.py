"""How far the groups' means lie apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evenhand.metrics import Array, Columns, Metric, mean_under
from evenhand.metrics._gaps import spread as gap


def spread(values: Array, group: Array, weights: Array) -> Array:
    """Largest minus smallest group mean: `values` and `group` (an index) [n], `weights` [B, n] to [B].

    NaN for fewer than two groups, and where one of them has no defined value of any weight.
    """
    found = np.unique(group[np.isfinite(group)])
    if len(found) < 2:
        return np.full(len(weights), np.nan)
    means = [mean_under(np.where(group == g, values, np.nan), weights) for g in found]
    return gap(np.stack(means, axis=1))


def gap_metric(
    name: str,
    title: str,
    values: Callable[[Columns], Array],
    needs: tuple[str, ...],
    *,
    high: float,
    **about: str,
) -> Metric:
    """The metric of `spread` over the column ``group``; `values` gives the items' own figures [n]."""

    def items(table: Columns) -> NDArray[np.bool_]:
        return np.isfinite(values(table)) & np.isfinite(table["group"])

    return Metric(
        name,
        title,
        unit=about["unit"],
        ideal=0.0,
        low=0.0,
        high=high,
        source=about["source"],
        reading=about["reading"]
        + " It cannot be below 0, so chance alone lifts it, the more so with many small groups: read it with "
        "its interval and the groups' own figures. Undefined where a group has no figure.",
        needs=(*needs, "group"),
        compute=lambda table, weights: spread(values(table), table["group"], weights),
        items=items,
    )
