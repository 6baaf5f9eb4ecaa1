"""The share of toxic answers, and their mean toxicity."""

from __future__ import annotations

from evenhand.monitor.indicators._counts import Figure, Group, Indicator, Part, Sums, mean_with_ends, shares


def part(group: Group) -> Part:
    """Toxic answers, of those that were rated."""
    return group["toxic"], group["rated"]


def _figures(own: Indicator, sums: Sums) -> list[Figure]:
    found = shares(own, sums)
    for group in (sums.everybody, *sums.groups):
        value, ends = mean_with_ends(group["toxicity"], group["toxicity_squares"], group["rated"])
        found.append(own.figure(group.value, value, ends, group["rated"], "mean"))
    return found


indicator = Indicator(
    "toxicity",
    "Toxicity",
    "share",
    "The share of answers with a toxicity of 0.5 or more, and the mean toxicity.",
    _figures,
    part=part,
    better="low",
)
