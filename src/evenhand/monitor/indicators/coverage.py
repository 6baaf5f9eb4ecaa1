"""The share of decisions that have a label."""

from __future__ import annotations

from evenhand.monitor.indicators._counts import Group, Indicator, Part, shares


def part(group: Group) -> Part:
    """Decisions with a label, of all."""
    return group["labelled"], group["decisions"]


indicator = Indicator(
    "coverage",
    "Label coverage",
    "share",
    "The share of decisions whose label is known: figures made of labels say nothing about the others.",
    shares,
    matured=True,
    part=part,
    better="high",
)
