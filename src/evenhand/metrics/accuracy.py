"""The share of questions answered correctly."""

from __future__ import annotations

from evenhand.metrics import Array, Columns, mean_metric


def accuracy(table: Columns) -> Array:
    """Per-item 1 (correct) or 0, shape [n]; NaN where no answer can be told (a tie, an unparsed answer)."""
    return table["correct"]


component = mean_metric(
    "accuracy",
    "Accuracy",
    per_item=accuracy,
    unit="share of items",
    ideal=1.0,
    low=0.0,
    high=1.0,
    chance_of="chance",
    source="the usual definition; undefined answers are left out and counted",
    reading="Read it beside chance, 1 / (number of options), and beside the count of undefined items.",
    needs=("correct",),
)
