"""The probability of the neutral term ("they"): what a treatment may silently destroy."""

from __future__ import annotations

from evenhand.metrics import Array, Columns, mean_metric


def neutral(table: Columns) -> Array:
    """Per-item probability of the neutral term, shape [n]; NaN where the item has none."""
    return table["neutral"]


component = mean_metric(
    "neutral",
    "Probability of the neutral term",
    per_item=neutral,
    unit="probability",
    ideal=None,
    low=0.0,
    high=1.0,
    source="ours: the loss -ln P(he) - ln P(she) takes the neutral term's probability away",
    reading="No value is best; read the change that a treatment makes.",
    needs=("neutral",),
)
