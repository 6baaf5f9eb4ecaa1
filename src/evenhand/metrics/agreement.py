"""How often the decision is the same for both versions of a prompt."""

from __future__ import annotations

from evenhand.metrics import mean_metric
from evenhand.metrics._shifts import PAIRS

component = mean_metric(
    "agreement",
    "Same decision for both versions",
    per_item=lambda table: table["agreement"],
    unit="share of pairs",
    ideal=1.0,
    low=0.0,
    high=1.0,
    source=PAIRS,
    reading="1 where the attribute never changes the decision. A model that always decides alike reaches 1 "
    "as well. A pair with a tie is undefined and counted.",
    needs=("agreement",),
)
