"""The share of events whose attribute is not known."""

from __future__ import annotations

from evenhand.monitor.indicators._counts import Figure, Group, Indicator, Sums
from evenhand.stats.proportions import clopper_pearson


def _events(group: Group) -> float:
    return group["events"] + group["generations"]


def _figures(own: Indicator, sums: Sums) -> list[Figure]:
    n = _events(sums.everybody)
    missing = n - sum(_events(group) for group in sums.groups)
    return [own.figure("", missing / n if n else None, clopper_pearson(missing, n), n)]


indicator = Indicator(
    "unknown",
    "Attribute unknown",
    "share",
    "The share of events without a value of the attribute: about them the figures by group say nothing.",
    _figures,
    better="low",
)
