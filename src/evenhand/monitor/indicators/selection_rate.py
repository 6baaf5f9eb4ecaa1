"""The share of favourable decisions."""

from __future__ import annotations

from evenhand.monitor.indicators._counts import Group, Indicator, Part, shares


def part(group: Group) -> Part:
    """Favourable decisions, of all."""
    return group["selected"], group["decisions"]


indicator = Indicator(
    "selection_rate",
    "Selection rate",
    "share",
    "The share of people with a favourable decision.",
    shares,
    part=part,
)
