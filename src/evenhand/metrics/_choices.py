"""What the metrics of a prompted three-way choice share: shares of the answers by option.

Columns ``chosen.stereotype``, ``chosen.anti`` and ``chosen.unrelated``: the shares of an item's answers (one
for each order of the options) that name this option; what is missing to 1 are invalid answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evenhand.metrics import Array, Columns, Metric

CHOSEN = ("chosen.stereotype", "chosen.anti", "chosen.unrelated")


def choice_metric(
    name: str, title: str, *, count: Sequence[str], over: Sequence[str], **about: object
) -> Metric:
    """100 Σ w count / Σ w over, each a sum of columns; NaN where nothing is below the line."""

    def compute(table: Columns, weights: Array) -> Array:
        top, bottom = _sum(table, count), _sum(table, over)
        used = np.isfinite(top) & np.isfinite(bottom)
        sums = weights @ np.stack([np.where(used, top, 0.0), np.where(used, bottom, 0.0)], axis=1)
        out = np.full(len(weights), np.nan)
        return np.asarray(100 * np.divide(sums[:, 0], sums[:, 1], out=out, where=sums[:, 1] > 0))

    return Metric(
        name,
        title,
        unit="percent of answers",
        low=0.0,
        high=100.0,
        needs=tuple(over),
        compute=compute,
        items=lambda table: np.nan_to_num(_sum(table, over)) > 0,
        **about,  # type: ignore[arg-type]
    )


def _sum(table: Columns, names: Sequence[str]) -> Array:
    return np.asarray(sum((table[name] for name in names), start=np.zeros(table.n)))
