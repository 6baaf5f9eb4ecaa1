"""The share of favourable decisions among people for whom that turned out to be right."""

from __future__ import annotations

from evenhand.monitor.indicators._counts import Group, Indicator, Part, shares


def part(group: Group) -> Part:
    """Favourable decisions, of the people whose label is favourable."""
    return group["true_positives"], group["true_positives"] + group["false_negatives"]


indicator = Indicator(
    "true_positive_rate",
    "True positive rate",
    "share",
    "Of the people for whom the favourable decision was right, the share who got it.",
    shares,
    matured=True,
    part=part,
    better="high",
)
