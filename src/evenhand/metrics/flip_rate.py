"""The share of people whose decision changes with nothing but the sensitive attribute."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.metrics import Array, mean_metric
from evenhand.metrics._twins import TWINS, twins


def flip_rate(decisions: ArrayLike) -> Array:
    """Per person 1 where the twins' `decisions` [n, k] are not all alike, else 0: [n]; NaN if undecided.

    Raises:
        BadData: not two dimensions, or values beside 0, 1 and NaN (undecided).
    """
    return _flips(twins(decisions))


def _flips(decisions: Array) -> Array:
    decided = np.isfinite(decisions).all(axis=1)
    return np.where(decided, (decisions != decisions[:, :1]).any(axis=1), np.nan)


component = mean_metric(
    "flip_rate",
    "Decisions that flip with the attribute",
    per_item=lambda table: _flips(table.group("decision")),
    unit="share of people",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source="the counterfactual fairness of Kusner et al. 2017, arXiv:1703.06856, on texts",
    reading="The share of people who would be decided otherwise if they belonged to another group and "
    "nothing else were different. A model that gives everybody one answer has none: read it beside accuracy.",
    needs=(TWINS,),
)
