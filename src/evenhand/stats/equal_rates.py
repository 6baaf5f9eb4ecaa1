"""What a gap over groups would be if the groups had equal rates, for a metric on scores.

A gap is never below 0 and a ratio never above 1, so chance alone makes both look unequal. Membership is drawn
anew among the people of a figure (`evenhand.stats.gaps.equal_rates`); where people come in clusters, which
have to change sides as a whole, two groups are compared by `two_groups`, and more have no such test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evenhand.errors import BadData
from evenhand.metrics import Array, Columns, Gap, Metric, columns
from evenhand.records import Score, Value
from evenhand.stats import gaps
from evenhand.stats.estimating import table_for
from evenhand.stats.hypothesis import two_groups
from evenhand.stats.means import Asked
from evenhand.stats.ratios import Codes
from evenhand.stats.resampling import codes_of, held


@dataclass(frozen=True, slots=True)
class Equal:
    """Of one figure: its mean under equal rates (None where it cannot be drawn), and the p-value of the test
    that the groups' rates are equal.
    """

    expected: Value
    p: float


def under_equal_rates(
    metrics: Sequence[Metric], scores: Sequence[Score], *, seed: int = 0
) -> dict[str, Equal]:
    """Of every gap or ratio over groups of different people among `metrics`; others are left out.

    Raises:
        BadData: a column that a metric reads is missing.
    """
    if not scores:
        return {}
    table, codes = columns(scores), codes_of([s.cluster for s in scores], len(scores))[0]
    found = {m.name: _of(m, table_for(m, table), codes, seed) for m in metrics if isinstance(m.kind, Gap)}
    return {name: one for name, one in found.items() if one is not None}


def _of(metric: Metric, table: Columns, codes: Codes, seed: int) -> Equal | None:
    kind = metric.kind
    assert isinstance(kind, Gap)
    if kind.twins:
        return None
    used = metric.items(table)
    stages = [(np.where(used, x, np.nan), members) for x, members in kind.stages(table)]
    alone = len(held(codes[used])) == int(used.sum())
    counted = all(np.isin(x[np.isfinite(x)], (0.0, 1.0)).all() for x, _ in stages)
    if not (alone and counted):
        return _clustered(stages, codes, seed)
    tables = [_counts(x, members) for x, members in stages]
    found = gaps.equal_rates(tables, _figure(kind), seed=seed)
    if found is None:
        return None
    return Equal(1 - found.expected if kind.ratio else found.expected, found.p)


def _counts(x: Array, members: Array) -> tuple[Array, Array]:
    """Successes and people of each group [1, k] among the defined `x` [n]; `members` [n, k]."""
    belongs = np.isfinite(x)[:, None] & (members > 0)
    won = np.where(belongs, np.nan_to_num(x)[:, None], 0.0)
    return won.sum(axis=0)[None], belongs.sum(axis=0)[None].astype(np.float64)


def _figure(kind: Gap) -> Callable[[Sequence[Array]], Array]:
    """The figure [B] of the stages' rates [B, k] each, large where unequal: a ratio as 1 minus it."""

    def of(rates: Sequence[Array]) -> Array:
        if kind.ratio:
            least, most = rates[0].min(axis=1), rates[0].max(axis=1)
            return np.asarray(1 - np.divide(least, most, out=np.full(len(most), np.nan), where=most > 0))
        spreads = [one.max(axis=1) - one.min(axis=1) for one in rates]
        return np.asarray(kind.scale * (np.maximum.reduce(spreads) if kind.how == "max" else sum(spreads)))

    return of


def _clustered(stages: Sequence[tuple[Array, Array]], codes: Codes, seed: int) -> Equal | None:
    """Two groups of whole clusters in one stage; None for anything else."""
    if len(stages) != 1 or stages[0][1].shape[1] != 2:
        return None
    x, members = stages[0]
    belongs = (members > 0).any(axis=1)
    try:
        p = two_groups(x[belongs], members[belongs, 0] > 0, codes[belongs], asked=Asked(seed=seed))
    except BadData:  # a cluster holds people of both groups
        return None
    return None if p is None else Equal(None, p)


def by_name(found: Mapping[str, Equal]) -> dict[str, dict[str, Value]]:
    """For programs: ``expected`` and ``p`` by the name of the figure."""
    return {name: {"expected": one.expected, "p": one.p} for name, one in found.items()}
