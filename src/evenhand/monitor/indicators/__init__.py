"""Indicators: figures by group, of the counts of `rollups` alone; one file each.

To add one, write a file with an `indicator` and name it in `INDICATORS`.
"""

from __future__ import annotations

from evenhand.monitor.indicators import (
    calibration,
    coverage,
    dpd,
    equal_opportunity,
    error_gap,
    error_rate,
    impact_ratio,
    length,
    refusal,
    score_quantiles,
    selection_rate,
    toxicity,
    true_positive_rate,
    unknown,
)
from evenhand.monitor.indicators._counts import Figure, Group, Indicator, Sums, titles

INDICATORS = titles(
    [
        selection_rate.indicator,
        impact_ratio.indicator,
        dpd.indicator,
        true_positive_rate.indicator,
        equal_opportunity.indicator,
        error_rate.indicator,
        error_gap.indicator,
        calibration.indicator,
        score_quantiles.indicator,
        refusal.indicator,
        toxicity.indicator,
        length.indicator,
        unknown.indicator,
        coverage.indicator,
    ]
)
"""Every indicator by its name, in the order of pages."""

__all__ = ["INDICATORS", "Figure", "Group", "Indicator", "Sums"]
