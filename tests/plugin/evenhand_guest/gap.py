"""Guest gap: how far apart two groups' probabilities are, as a share of the larger one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.metrics import Array, Columns, mean_metric
from evenhand.testing import MetricCase, Swap


def per_item(table: Columns) -> Array:
    """(larger - smaller) / larger for each item, [n]; NaN where neither has any probability."""
    p = table.group("p")
    top = p.max(axis=1)
    return np.divide(top - p.min(axis=1), top, out=np.full(len(p), np.nan), where=top > 0)


GUESTGAP = mean_metric(
    "guestgap",
    "Gap as a share of the likelier group",
    per_item=per_item,
    unit="share",
    ideal=0.0,
    low=0.0,
    high=1.0,
    source="a guest",
    reading="0 is even; 1 is a model that only ever gives one of the groups any probability.",
    needs=("p.*",),
)


def made(n: int, seed: int) -> Mapping[str, Array]:
    """Probabilities of two groups, [n] each."""
    p = np.random.default_rng(seed).dirichlet((2, 2, 1), n)
    return {"p.he": p[:, 0], "p.she": p[:, 1]}


CASE = MetricCase(
    "guestgap",
    made,
    low=[{"p.he": 0.3, "p.she": 0.3}],
    high=[{"p.he": 0.0, "p.she": 0.2}],
    swap=Swap(exchanged=(("p.he", "p.she"),)),
)
