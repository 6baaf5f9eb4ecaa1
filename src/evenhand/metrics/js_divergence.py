"""How differently the next token is distributed after the two versions of a prompt."""

from __future__ import annotations

from evenhand.metrics import mean_metric
from evenhand.metrics._shifts import PAIRS

component = mean_metric(
    "js_divergence",
    "Jensen-Shannon divergence of the answers",
    per_item=lambda table: table["js"],
    unit="bits",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source=f"{PAIRS}; Lin 1991, logarithms to base 2",
    reading="0 where the answers are distributed alike, 1 where they share nothing. Over the listed answers "
    "and everything else together it is a lower bound of the divergence over the whole vocabulary.",
    needs=("js",),
)
