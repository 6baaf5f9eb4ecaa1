"""Group thresholds from held-out scores: fairlearn's constraints, and in addition precision parity.

Every rule here is a mixture of two thresholds a group, a point on the upper convex hull of the group's ROC
curve (Hardt, Price and Srebro 2016, "Equality of opportunity in supervised learning"). fairlearn's
ThresholdOptimizer picks the points for the constraints that it knows.

Precision parity, P(y = 1 | favoured) equal in all groups, is ours: fairlearn does not have it. With base rate
b, false positive rate x and true positive rate y, precision q means ``(1 - q) b y = q (1 - b) x``: a ray from
the origin of the ROC plane. For each q of a grid each group takes the furthest point of its ray that is
still under its hull, that is, favours as many as possible at that precision; the best q for the objective
wins. Only q that every group reaches with a rule no worse than chance count: from the largest base rate to
the smallest of the groups' highest precisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.decimals import fixed
from evenhand.errors import BadData, BadOption, MissingExtra
from evenhand.postprocessing.rules import ALWAYS, NEVER, Array, Cut, Mixture, Thresholds, checked, refuse

Constraint = Literal[
    "demographic_parity",
    "true_positive_rate_parity",
    "false_positive_rate_parity",
    "true_negative_rate_parity",
    "false_negative_rate_parity",
    "equalized_odds",
    "precision_parity",
]
Objective = Literal["accuracy", "balanced_accuracy"]
_ROUND = 1e-12


@dataclass(frozen=True, slots=True)
class Hull:
    """The upper convex hull of a group's ROC curve: vertices from (0, 0) to (1, 1), and their cuts.

    `cuts[i]` favours scores above it; `fpr` and `tpr` ascend. `base` is the group's base rate, `n` its size.
    """

    fpr: Array
    tpr: Array
    cuts: Array
    base: float
    n: int

    @property
    def best_precision(self) -> float:
        """The highest precision of any rule on these scores that favours someone."""
        hits, misses = self.base * self.tpr[1], (1 - self.base) * self.fpr[1]
        return float(hits / (hits + misses))


def fit_thresholds(
    scores: ArrayLike,
    labels: ArrayLike,
    groups: Sequence[str],
    *,
    constraint: Constraint = "equalized_odds",
    objective: Objective = "accuracy",
    seed: int = 0,
) -> Thresholds:
    """Thresholds for each group that meet `constraint` on these people and are best for `objective` there.

    `scores` [n] in [0, 1], true outcomes `labels` [n] (0 or 1), `groups` [n] by name: at least two groups,
    each with people of both outcomes. The fit is exact on these people (to the grid of 1000 steps); on others
    the constraint holds up to sampling error. `seed` is that of random decisions.

    Raises:
        BadData: bad scores by row, one group only, a group without one of the outcomes (with counts).
        BadOption: an unknown constraint or objective, or precision parity that no threshold can reach.
        MissingExtra: fairlearn is not installed (precision parity does not need it).
    """
    _check_option("constraint", constraint, get_args(Constraint))
    _check_option("objective", objective, get_args(Objective))
    values, outcomes, names = people_of(scores, labels, groups)
    if constraint == "precision_parity":
        mixtures = _precision_parity(values, outcomes, list(groups), names, objective)
    else:
        mixtures = _fairlearn(values, outcomes, list(groups), names, (constraint, objective))
    return Thresholds(tuple(names), tuple(mixtures), constraint, objective, seed)


def require_extra(constraint: str) -> None:
    """Check that thresholds under `constraint` can be fitted on this machine.

    Raises:
        MissingExtra: fairlearn is not installed (precision parity does not need it).
    """
    if constraint != "precision_parity" and find_spec("fairlearn") is None:
        raise MissingExtra("fairlearn", "fairness", "Fitting group thresholds")


def people_of(
    scores: ArrayLike, labels: ArrayLike, groups: Sequence[str]
) -> tuple[Array, NDArray[np.int64], list[str]]:
    """The checked scores and outcomes, and the names of the groups, sorted.

    Raises:
        BadData: bad scores by row, one group only, a group without one of the outcomes (with counts).
    """
    names = sorted({name for name in groups if isinstance(name, str)})
    values, places = checked(scores, groups, names)
    outcomes = np.asarray(labels)
    if outcomes.shape != values.shape:
        raise BadData(
            f"There are {len(values)} people and true outcomes of shape {outcomes.shape}.",
            mend="Give one true outcome for each person.",
        )
    refuse(
        [
            f"row {row} (the first is 0) has the true outcome {outcomes[row]}"
            for row in np.flatnonzero(~np.isin(outcomes, (0, 1)))
        ],
        "Give 1 for the favourable outcome and 0 for the other.",
    )
    if len(names) < 2:
        raise BadData(
            f"All people are of the group {names[0]!r}." if names else "There are no people to fit on.",
            mend="Give people of at least two groups.",
        )
    positives = np.bincount(places, outcomes, len(names)).astype(int)
    sizes = np.bincount(places, minlength=len(names))
    if ((positives == 0) | (positives == sizes)).any():
        told = ", ".join(f"{g}: {p} of {n}" for g, p, n in zip(names, positives, sizes, strict=True))
        raise BadData(
            f"A group has people of one true outcome only (favourable outcomes by group: {told}), so its "
            "error rates are undefined.",
            mend="Fit on more people, or merge small groups.",
        )
    return values, outcomes.astype(np.int64), names


def hull(scores: Array, labels: NDArray[np.int64]) -> Hull:
    """The hull of one group's ROC curve; `scores` [n], `labels` [n] with both outcomes among them."""
    order = np.argsort(-scores, kind="stable")  # `values` and `hits` are [n]; from `last` on, [thresholds]
    values, hits = scores[order], labels[order]
    last = np.flatnonzero(np.append(values[1:] != values[:-1], True))  # equal scores stay together
    positives = hits.sum()
    tpr = np.append(0.0, np.cumsum(hits)[last] / positives)
    fpr = np.append(0.0, np.cumsum(1 - hits)[last] / (len(hits) - positives))
    between = (values[last[:-1]] + values[last[:-1] + 1]) / 2
    cuts = np.concatenate([[NEVER], between, [ALWAYS]])
    kept: list[int] = []
    for i in range(len(fpr)):
        while len(kept) > 1 and not _turns_right(fpr[[*kept[-2:], i]], tpr[[*kept[-2:], i]]):
            kept.pop()
        kept.append(i)
    return Hull(fpr[kept], tpr[kept], cuts[kept], float(positives / len(hits)), len(hits))


def _turns_right(x: Array, y: Array) -> bool:
    return bool((y[1] - y[0]) * (x[2] - x[0]) > (y[2] - y[0]) * (x[1] - x[0]))


def _precision_parity(
    scores: Array, labels: NDArray[np.int64], groups: list[str], names: list[str], objective: Objective
) -> list[Mixture]:
    of_group = np.array(groups)
    hulls = [hull(scores[of_group == name], labels[of_group == name]) for name in names]
    low, high = max(h.base for h in hulls), min(h.best_precision for h in hulls)
    if low > high:
        highest = names[int(np.argmax([h.base for h in hulls]))]
        least = names[int(np.argmin([h.best_precision for h in hulls]))]
        raise BadOption(
            f"No thresholds give equal precision: for {least} no threshold on these scores has a precision "
            f"above {fixed(high)}, while the base rate of {highest} is {fixed(low)}.",
            mend="Use another constraint, such as equalized_odds, or more informative scores for this group.",
        )
    best = max(np.linspace(low, high, 1001).tolist(), key=lambda q: _value(hulls, q, objective))
    return [_mixture(h, *_furthest(h, best)) for h in hulls]


def _furthest(h: Hull, precision: float) -> tuple[int, float]:
    """The furthest point of the hull with this precision: a vertex, and the fraction of the edge after it."""
    spare = (1 - precision) * h.base * h.tpr - precision * (1 - h.base) * h.fpr  # >= 0: at least as precise
    last = int(np.flatnonzero(spare >= -_ROUND)[-1])
    if last == len(spare) - 1:
        return last, 0.0
    return last, float(max(0.0, spare[last]) / (max(0.0, spare[last]) - spare[last + 1]))


def _value(hulls: Sequence[Hull], precision: float, objective: Objective) -> float:
    """The objective over all people if every group favours as many as possible at this precision."""
    positives = negatives = hits = misses = 0.0
    for h in hulls:
        i, way = _furthest(h, precision)
        j = min(i + 1, len(h.fpr) - 1)
        p, n = h.n * h.base, h.n * (1 - h.base)
        hits += p * ((1 - way) * h.tpr[i] + way * h.tpr[j])
        misses += n * ((1 - way) * h.fpr[i] + way * h.fpr[j])
        positives, negatives = positives + p, negatives + n
    if objective == "accuracy":
        return float((hits + negatives - misses) / (positives + negatives))
    return float((hits / positives + 1 - misses / negatives) / 2)


def _mixture(h: Hull, vertex: int, way: float) -> Mixture:
    """The rule of the point that lies at the fraction `way` of the edge after `vertex`."""
    if way == 0.0:
        return Mixture((Cut(1.0, float(h.cuts[vertex])),))
    return Mixture((Cut(1 - way, float(h.cuts[vertex])), Cut(way, float(h.cuts[vertex + 1]))))


def _fairlearn(
    scores: Array, labels: NDArray[np.int64], groups: list[str], names: list[str], goal: tuple[str, str]
) -> list[Mixture]:
    require_extra(goal[0])
    from evenhand.postprocessing.optimised import optimised

    found = optimised(scores, labels, groups, constraint=goal[0], objective=goal[1])
    return [found[name] for name in names]


def _check_option(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise BadOption(f"{name}={value} is not valid.", mend=f"Write one of: {', '.join(known)}.")
