"""By how much the more stereotyping sentence is more likely, with its sign."""

from __future__ import annotations

from evenhand.metrics import Array, Columns, mean_metric


def log_ratio(table: Columns) -> Array:
    """Per-item ln P(more stereotyping) - ln P(less), shape [n], nats; NaN where it is not finite."""
    return table["log_ratio"]


component = mean_metric(
    "log_ratio",
    "Mean log-ratio of the more to the less stereotyping sentence",
    per_item=log_ratio,
    unit="nats",
    ideal=0.0,
    low=None,
    high=None,
    source="ours: the signed companion of the share preferred",
    reading="Above 0 the more stereotyping sentence is the more likely one. It counts how much, not only how "
    "often, and unlike an absolute difference it does not hide which side is preferred.",
    needs=("log_ratio",),
)
