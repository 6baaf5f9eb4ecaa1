"""The difference of the highest and the lowest selection rate."""

from __future__ import annotations

from evenhand.metrics import group_fairness
from evenhand.monitor.indicators._counts import Array, Figure, Indicator, Sums, gap_of, rows_of
from evenhand.monitor.indicators.selection_rate import part
from evenhand.records import Value


def _value(hits: Array, n: Array) -> Value:
    decisions, groups, weights = rows_of(hits, n)
    return group_fairness.dpd(decisions, decisions, groups, weights)


def _figures(own: Indicator, sums: Sums) -> list[Figure]:
    return gap_of(own, sums, part, _value)


indicator = Indicator(
    "dpd",
    "Demographic parity difference",
    "difference of shares",
    "The highest of the groups' selection rates minus the lowest; 0 is even.",
    _figures,
    better="low",
)
