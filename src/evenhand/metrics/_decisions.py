"""What the metrics of decisions share: rates of groups, their spread, and the same figures on plain arrays.

A table of decisions has one row a person and the columns ``decision`` (1 favourable, 0 not, NaN undecided),
``outcome`` (the true one, 1 or 0), ``probability`` (of the favourable decision) and one ``member.<group>``
for each group (1 or 0). ``decision.<group>`` and ``p.<group>`` are the decision and the probability that the
same person gets with the sensitive attribute set to that group (the counterfactual twins). Observational
figures compare different people; counterfactual ones compare each person with their own twins.

A group that has nobody of the kind that a rate needs has no rate, and then neither has the gap: it is
undefined, never 0, for an empty group is no evidence of fairness.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadData
from evenhand.metrics import Array, Columns, Metric
from evenhand.records import Value

FAIRCON = "FairCon LLM: Improving fairness by leveraging Contrastive learning in LLMs (Gaudi)"
EMPTY = " Undefined where a group has nobody to tell it from; the remarks of a measurement count them."
CHANCE = (
    " It cannot be below 0, so chance alone lifts it, the more so with few people or many groups: read it "
    "with its interval and beside accuracy."
)
OBSERVED = ("decision", "member.*")
JUDGED = ("decision", "outcome", "member.*")


def rates(values: Array, members: Array, weights: Array) -> Array:
    """Each group's mean of `values` [n] under `weights` [B, n]: [B, k], NaN for a group without weight.

    `members` [n, k] says who belongs to which group (1 or 0); NaN in `values` leaves the person out.
    """
    belongs = np.where(np.isfinite(values)[:, None] & np.isfinite(members), members, 0.0)
    sums = weights @ (belongs * np.where(np.isfinite(values), values, 0.0)[:, None])
    total = weights @ belongs
    found: Array = np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0)
    return found


def spread(figures: Array) -> Array:
    """Largest minus smallest of `figures` [B, k]: [B]; NaN where one is undefined or k < 2."""
    if figures.shape[1] < 2:
        return np.full(len(figures), np.nan)
    gap: Array = figures.max(axis=1) - figures.min(axis=1)
    return gap


def given(values: Array, outcome: Array, y: int) -> Array:
    """`values` [n] of the people whose true outcome is `y`, NaN for the others."""
    return np.where(outcome == y, values, np.nan)


def outcome_gaps(table: Columns, weights: Array) -> tuple[Array, Array]:
    """The gaps in P(decision = 1 | group, outcome = y) for y = 1 (TPR) and y = 0 (FPR), each [B]."""
    members = table.group("member")
    gap_1, gap_0 = (
        spread(rates(given(table["decision"], table["outcome"], y), members, weights)) for y in (1, 0)
    )
    return gap_1, gap_0


def known(table: Columns, needs: tuple[str, ...]) -> NDArray[np.bool_]:
    """The people of whom every column in `needs` is defined, [n]."""
    columns = [table.group(need[:-2]) if need.endswith(".*") else table[need][:, None] for need in needs]
    return np.asarray(np.isfinite(np.concatenate(columns, axis=1)).all(axis=1))


def group_metric(
    name: str, title: str, compute: Callable[[Columns, Array], Array], needs: tuple[str, ...], **about: object
) -> Metric:
    """A figure over groups that is no mean of items; people with an undefined needed column are left out."""

    def over_known(table: Columns, weights: Array) -> Array:
        return compute(table, weights * known(table, needs))

    return Metric(
        name,
        title,
        compute=over_known,
        items=lambda table: known(table, needs),
        needs=needs,
        **about,  # type: ignore[arg-type]
    )


def on_arrays(
    metric: Metric, group: ArrayLike, weights: ArrayLike | None = None, **columns: ArrayLike
) -> Value:
    """`metric` on predictions that somebody already has: `group` [n] of labels of any kind, `columns` [n].

    Raises:
        BadData: the arrays differ in length, or decisions and outcomes hold other values than 0 and 1.
    """
    names, index = np.unique(np.asarray(group), return_inverse=True)
    table = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    n = len(index)
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    _check(table | {"weights": w}, n)
    members = {f"member.{name}": (index == g).astype(np.float64) for g, name in enumerate(names)}
    value = float(metric.compute(Columns(table | members, n), w[None, :])[0]) if n else np.nan
    return value if np.isfinite(value) else None


def _check(table: dict[str, Array], n: int) -> None:
    lengths = {name: len(values) for name, values in table.items() if values.shape != (n,)}
    if lengths:
        raise BadData(
            f"There are {n} groups but {', '.join(f'{size} of {name}' for name, size in lengths.items())}.",
            mend="Give arrays of one length, one entry for each person.",
        )
    for name, values in table.items():
        kind = name.partition(".")[0]
        wrong = np.unique(values[np.isfinite(values) & (values != 0) & (values != 1)])
        if kind in ("decision", "outcome") and len(wrong):
            raise BadData(
                f"The {kind}s hold {wrong[0]:g}.", mend="Write 1 for the favourable one and 0 for the other."
            )
