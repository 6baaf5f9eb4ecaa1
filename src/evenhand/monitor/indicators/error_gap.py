"""The difference of the highest and the lowest error rate."""

from __future__ import annotations

import numpy as np

from evenhand.metrics import group_fairness
from evenhand.monitor.indicators._counts import Array, Figure, Indicator, Sums, gap_of, rows_of
from evenhand.monitor.indicators.error_rate import part
from evenhand.records import Value


def _value(hits: Array, n: Array) -> Value:
    wrong, groups, weights = rows_of(hits, n)
    return group_fairness.error_gap(np.zeros_like(wrong), wrong, groups, weights)


def _figures(own: Indicator, sums: Sums) -> list[Figure]:
    return gap_of(own, sums, part, _value)


indicator = Indicator(
    "error_gap",
    "Error gap",
    "difference of shares",
    "The highest of the groups' error rates minus the lowest; 0 is even.",
    _figures,
    matured=True,
    better="low",
)
