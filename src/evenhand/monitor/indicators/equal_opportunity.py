"""The difference of the highest and the lowest true positive rate."""

from __future__ import annotations

import numpy as np

from evenhand.metrics import group_fairness
from evenhand.monitor.indicators._counts import Array, Figure, Indicator, Sums, gap_of, rows_of
from evenhand.monitor.indicators.true_positive_rate import part
from evenhand.records import Value


def _value(hits: Array, n: Array) -> Value:
    decisions, groups, weights = rows_of(hits, n)
    return group_fairness.equal_opportunity(np.ones_like(decisions), decisions, groups, weights)


def _figures(own: Indicator, sums: Sums) -> list[Figure]:
    return gap_of(own, sums, part, _value)


indicator = Indicator(
    "equal_opportunity",
    "Equal opportunity difference",
    "difference of shares",
    "The highest of the groups' true positive rates minus the lowest; 0 is even.",
    _figures,
    matured=True,
    better="low",
)
