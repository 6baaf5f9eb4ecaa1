"""The mean log-probability bias score: which way professions move the odds of the first group."""

from __future__ import annotations

from evenhand.metrics import Array, Columns, mean_metric


def lpbs(table: Columns) -> Array:
    """Per-item log-probability bias score in nats, shape [n]; NaN where undefined."""
    return table["lpbs"]


component = mean_metric(
    "lpbs",
    "LPBS: mean log-probability bias score",
    per_item=lpbs,
    unit="nats",
    ideal=0.0,
    low=None,
    high=None,
    source="Kurita et al. 2019: ln[p(he)/prior(he)] - ln[p(she)/prior(she)]",
    reading="Above 0 professions make he more likely against she than no profession does; swapping the "
    "groups flips the sign. Professions of both leanings cancel out: read it beside lpbs_magnitude.",
    needs=("lpbs",),
)
