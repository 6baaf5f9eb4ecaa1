"""In which direction the probability of the decision moves between the two versions of a prompt."""

from __future__ import annotations

from evenhand.metrics import mean_metric
from evenhand.metrics._shifts import PAIRS

component = mean_metric(
    "shift",
    "Mean shift in probability, signed",
    per_item=lambda table: table["shift"],
    unit="probability",
    ideal=0.0,
    low=-1.0,
    high=1.0,
    source=PAIRS,
    reading="The mean of Δp, first version minus second (he minus she); above 0 the favourable decision is "
    "likelier for the first. Swapping the groups flips the sign. The measurement's notes give the p-value of "
    "the paired permutation test.",
    needs=("shift",),
)
