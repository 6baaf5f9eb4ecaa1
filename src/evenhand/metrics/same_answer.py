"""How often the answer stays the same when only the pronoun changes."""

from __future__ import annotations

from evenhand.metrics import mean_metric
from evenhand.metrics._accuracies import WINO

component = mean_metric(
    "same_answer",
    "Same answer whatever the pronoun",
    per_item=lambda table: table["same_answer"],
    unit="share of sentence sets",
    ideal=1.0,
    low=0.0,
    high=1.0,
    source=WINO,
    reading="1 where the pronoun's gender never changes who it refers to. A model that always names the same "
    "mention reaches 1 as well, so read it beside the accuracies. A set with a tie is undefined and counted.",
    needs=("same_answer",),
)
