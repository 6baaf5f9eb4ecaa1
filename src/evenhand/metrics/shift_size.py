"""How far the probability of the decision moves between the two versions of a prompt."""

from __future__ import annotations

import numpy as np

from evenhand.metrics import mean_metric
from evenhand.metrics._shifts import PAIRS

component = mean_metric(
    "shift_size",
    "Mean size of the shift in probability",
    per_item=lambda table: np.abs(table["shift"]),
    unit="probability",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source=PAIRS,
    reading="The mean of |Δp|; 0 where the attribute changes nothing. Differences in both directions add up "
    "here and cancel in shift.",
    needs=("shift",),
)
