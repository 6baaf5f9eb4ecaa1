"""The share of answers that were refused."""

from __future__ import annotations

from evenhand.monitor.indicators._counts import Group, Indicator, Part, shares


def part(group: Group) -> Part:
    """Refusals, of the generations that were judged."""
    return group["refusals"], group["judged"]


indicator = Indicator(
    "refusal", "Refusals", "share", "The share of requests that the model refused.", shares, part=part
)
