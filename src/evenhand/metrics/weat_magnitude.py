"""The mean size of the WEAT and SEAT effects of several tests, whichever way they point."""

from __future__ import annotations

import numpy as np

from evenhand.metrics import Array, Columns, Metric
from evenhand.metrics._weat import COLUMNS, by_test, usable


def _compute(table: Columns, weights: Array) -> Array:
    return np.asarray(np.abs(by_test(table, weights)).mean(axis=1))


component = Metric(
    "weat_magnitude",
    "Mean absolute WEAT effect size |d|",
    unit="standard deviations",
    ideal=0.0,
    low=0.0,
    high=None,
    source="Caliskan et al. 2017; Meade et al. 2022 report the mean over the tests of an attribute",
    reading="0 is no association in any test. A size without a sign is above 0 by chance alone: with n texts "
    "a target it is near 1.1 / sqrt(n) for a model without any association. For the same reason its interval "
    "lies too high where effects are small: trust the p-values and weat_effect.",
    needs=COLUMNS,
    compute=_compute,
    items=usable,
)
