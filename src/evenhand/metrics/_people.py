"""What the metrics of decisions share: rates of groups, their spread, and the same figures on plain arrays.

A table of decisions has one row a person and the columns ``decision`` (1 favourable, 0 not, NaN undecided),
``outcome`` (the true one, 1 or 0), ``probability`` (of the favourable decision) and one ``member.<group>``
for each group (1 or 0). ``decision.<group>`` and ``p.<group>`` are the decision and the probability that the
same person gets with the sensitive attribute set to that group (the counterfactual twins). Observational
figures compare different people; counterfactual ones compare each person with their own twins.

A group that has nobody of the kind that a rate needs has no rate, and then neither has the gap
(`evenhand.metrics._groups`): an empty group is no evidence of fairness.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.metrics import Array, Columns, Metric
from evenhand.metrics import _arrays as arrays
from evenhand.metrics._groups import spread
from evenhand.records import Value

FAIRCON = "FairCon LLM: Improving fairness by leveraging Contrastive learning in LLMs (Gaudi)"
EMPTY = " Undefined where a group has nobody to compute it from; the remarks of a measurement count them."
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
    # [n, k]: membership of the people whose value is known; then [B, n] @ [n, k].
    belongs = np.where(np.isfinite(values)[:, None] & np.isfinite(members), members, 0.0)
    sums = weights @ (belongs * np.where(np.isfinite(values), values, 0.0)[:, None])
    total = weights @ belongs
    found: Array = np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0)
    return found


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
    # Each [n, number of columns of that name].
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
        by_rows=True,
        **about,  # type: ignore[arg-type]
    )


def on_arrays(
    metric: Metric, group: ArrayLike | None, weights: ArrayLike | None = None, **columns: ArrayLike
) -> Value:
    """`metric` on existing predictions: `group` [n] holds labels of any kind, `columns` are [n] each.

    Without groups (None) everybody is in one. Every column is checked, also one that the metric does not look
    at: arrays that do not fit together are a mistake, whatever is made of them.

    Raises:
        BadData: different lengths; None or text instead of numbers; decisions and outcomes other than 0 and 1
            (a decision may be NaN: there is none); probabilities outside 0 to 1; a missing group; weights
            that are negative, infinite, NaN or all 0.
    """
    table = {name: _column(name, values) for name, values in columns.items()}
    first = next(iter(table.values()))
    names, index = arrays.groups(np.zeros(len(first)) if group is None else group)
    n = len(index)
    arrays.one_length(n, "people" if group is None else "groups", **table)
    w = np.ones(n) if weights is None else arrays.weights(weights, n)
    if not n:
        return None
    members = {f"member.{name}": (index == g).astype(np.float64) for g, name in enumerate(names)}
    value = float(metric.compute(Columns(table | members, n), w[None, :])[0])
    return value if np.isfinite(value) else None


_DECISION = "y_pred takes 1 for a favourable decision, 0 for the other one and NaN where there is none."
_OUTCOME = "y_true takes 1 for the favourable outcome and 0 for the other one; leave out people without one."
_PROBABILITY = "probability takes numbers from 0 to 1, and NaN where there is none."


def _column(name: str, values: ArrayLike) -> Array:
    kind = name.partition(".")[0]
    if kind == "probability":
        return arrays.shares(
            arrays.numbers(values, "probabilities", _PROBABILITY), "probabilities", _PROBABILITY
        )
    expected = _OUTCOME if kind == "outcome" else _DECISION
    found = arrays.numbers(values, f"{kind}s", expected)
    return arrays.one_of(found, (0, 1), f"{kind}s", expected, nan=kind == "decision")
