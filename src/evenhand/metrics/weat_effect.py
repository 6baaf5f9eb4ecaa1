"""WEAT and SEAT effect size: which target lies nearer to which attribute, in standard deviations."""

from __future__ import annotations

import numpy as np

from evenhand.metrics import Array, Columns, Metric
from evenhand.metrics._weat import COLUMNS, by_test, usable


def _compute(table: Columns, weights: Array) -> Array:
    return np.asarray(by_test(table, weights).mean(axis=1))


component = Metric(
    "weat_effect",
    "WEAT effect size d",
    unit="standard deviations",
    ideal=0.0,
    low=None,
    high=None,
    source="Caliskan et al. 2017; (mean_X s - mean_Y s) / std(s, ddof=1), the mean over tests",
    reading="Above 0 the first target of a test lies nearer to its first attribute (men to careers); "
    "swapping the targets flips the sign. Two targets of equal size reach at most 2. Tests may cancel out in "
    "the mean: read the slices, or weat_magnitude.",
    needs=COLUMNS,
    compute=_compute,
    items=usable,
)
