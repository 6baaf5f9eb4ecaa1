"""The lowest selection rate over the highest."""

from __future__ import annotations

from evenhand.metrics.group_fairness import disparate_impact
from evenhand.monitor.indicators._counts import Figure, Indicator, Sums, compared, rows_of
from evenhand.monitor.indicators.selection_rate import part
from evenhand.stats.gaps import Rates, ratio_ends
from evenhand.stats.ratios import NO_ENDS


def _figures(own: Indicator, sums: Sums) -> list[Figure]:
    hits, n = compared(part, sums)
    if len(n) < 2:
        return [own.figure("", None, NO_ENDS, n.sum())]
    decisions, groups, weights = rows_of(hits, n)
    value = disparate_impact(decisions, decisions, groups, weights)
    return [own.figure("", value, ratio_ends(Rates(hits / n, n)), n.sum())]


indicator = Indicator(
    "impact_ratio",
    "Impact ratio",
    "ratio",
    "The lowest of the groups' selection rates over the highest; 1 is even, and 0.8 is a known limit.",
    _figures,
    better="high",
)
