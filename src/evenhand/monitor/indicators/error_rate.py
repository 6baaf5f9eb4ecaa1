"""The share of wrong decisions."""

from __future__ import annotations

from evenhand.monitor.indicators._counts import Group, Indicator, Part, shares


def part(group: Group) -> Part:
    """Wrong decisions, of those with a label."""
    return group["false_positives"] + group["false_negatives"], group["labelled"]


indicator = Indicator(
    "error_rate",
    "Error rate",
    "share",
    "The share of decisions that turned out to be wrong.",
    shares,
    matured=True,
    part=part,
    better="low",
)
