"""Calibration within groups: of the people who get 0.7, seven in ten have the outcome, in every group.

Each group's curve is fitted on held-out people and shrunk towards the curve fitted on everyone, since groups
are small: with ``w = n / (n + shrink)`` the logistic curves' parameters (and the isotonic curves themselves)
are ``w * the group's + (1 - w) * everyone's``.

- ``platt``: ``sigmoid(slope * logit(p) + intercept)`` by maximum likelihood, on Platt's targets
  (N1 + 1)/(N1 + 2) and 1/(N0 + 2), which keep the slope finite where scores separate the outcomes
  (Platt 1999, "Probabilistic outputs for support vector machines").
- ``temperature``: the slope alone (Guo et al. 2017, "On calibration of modern neural networks").
- ``isotonic``: the best ascending step function, interpolated; for groups of at least 1000 people, because it
  follows the noise of fewer.

Calibration within groups and equal error rates of groups exclude each other in general: where base rates
differ and the scores are not perfect, no rule has both (Kleinberg, Mullainathan and Raghavan 2017;
Chouldechova 2017). Which of them matters is a choice for the user, not for the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadOption
from evenhand.metrics.calibration import BINS
from evenhand.metrics.calibration import calibration_error as _binned
from evenhand.postprocessing.rules import Array, Calibration, Curve, logit, sigmoid
from evenhand.postprocessing.thresholds import people_of

Method = Literal["auto", "platt", "temperature", "isotonic"]
ISOTONIC_FROM = 1000
FOLDS = 5
INCOMPATIBLE = (
    "Calibration within groups and equal error rates are incompatible where base rates differ and scores are "
    "not perfect: calibrated scores do not guarantee equal decisions."
)
_Fit = Callable[[Array, NDArray[np.int64]], Curve]


def fit_calibration(
    scores: ArrayLike,
    labels: ArrayLike,
    groups: Sequence[str],
    *,
    method: Method = "auto",
    shrink: float = 20.0,
) -> Calibration:
    """A calibration curve for each group.

    `scores` [n] in [0, 1], true outcomes `labels` [n] (0 or 1), `groups` [n] by name. ``auto`` is isotonic
    for groups of 1000 people or more and Platt's for the others. `shrink` is the group size at which a
    group's own curve has weight one half; with 0, only the group's own curve is used.

    Raises:
        BadData: bad scores by row, one group only, a group without one of the outcomes (with counts).
        BadOption: an unknown method, a negative `shrink`, or isotonic curves for a group that is too small.
    """
    check_options(method, shrink)
    values, outcomes, _ = people_of(scores, labels, groups)
    kinds = kinds_of(method, groups)
    return _fitted(values, outcomes, np.array(list(groups)), kinds, shrink)


def check_options(method: str, shrink: float) -> None:
    """Check the options that do not depend on the people.

    Raises:
        BadOption: an unknown method, or a negative `shrink`.
    """
    if method not in get_args(Method) or not shrink >= 0:
        raise BadOption(
            f"method={method}, shrink={shrink:g} is not valid.",
            mend=f"Write method as one of {', '.join(get_args(Method))}, and shrink as 0 or more people.",
        )


def kinds_of(method: Method, groups: Sequence[str]) -> dict[str, str]:
    """The kind of curve for each group, by name, from everyone's group [n].

    Raises:
        BadOption: isotonic curves for a group that is too small.
    """
    sizes = {name: sum(g == name for g in groups) for name in sorted(set(groups))}
    small = [f"{name} has {n}" for name, n in sizes.items() if n < ISOTONIC_FROM]
    if method == "isotonic" and small:
        raise BadOption(
            f"Isotonic curves need {ISOTONIC_FROM} people a group, but {', '.join(small)}.",
            mend="Use method=platt, or method=auto, which decides by group.",
        )
    return {name: _kind(method, n) for name, n in sizes.items()}


def group_weight(n: int, shrink: float) -> float:
    """The weight of a group's own curve against everyone's: ``n / (n + shrink)``."""
    return n / (n + shrink)


def cross_fitted(
    scores: ArrayLike,
    labels: ArrayLike,
    groups: Sequence[str],
    *,
    method: Method = "auto",
    shrink: float = 20.0,
    seed: int = 0,
) -> Array | None:
    """Calibrated probabilities [n] of people by curves fitted without them, by five-fold cross-fitting.

    None if a group has fewer than two people of one outcome; with fewer than five, that many folds.

    Raises:
        EvenhandError: as for `fit_calibration`.
    """
    values, outcomes, names = people_of(scores, labels, groups)
    of_group = np.array(list(groups))
    # The people of each group and outcome, each [people of the cell]; `part` [n] is everyone's fold.
    cells = [
        np.flatnonzero((of_group == name) & (outcomes == outcome)) for name in names for outcome in (0, 1)
    ]
    folds = min(FOLDS, *(len(cell) for cell in cells))
    if folds < 2:
        return None
    rng = np.random.default_rng(seed)
    part = np.empty(len(values), dtype=int)
    for cell in cells:
        part[rng.permutation(cell)] = np.arange(len(cell)) % folds
    found = np.empty(len(values))
    # The kind of curve is that of the whole group, although each part is fitted on fewer people.
    kinds = kinds_of(method, groups)
    for fold in range(folds):
        out = part == fold
        rule = _fitted(values[~out], outcomes[~out], of_group[~out], kinds, shrink)
        found[out] = rule.expected(values[out], of_group[out].tolist())
    return found


def calibration_error(scores: ArrayLike, labels: ArrayLike, *, bins: int = BINS) -> float | None:
    """Expected calibration error over `bins` bins of equal mass, as in the metric; None for nobody.

    ``sum over bins of n_b / n * |mean score - share of favourable outcomes|``, in [0, 1].
    """
    values, outcomes = np.asarray(scores, dtype=float), np.asarray(labels, dtype=float)
    if not len(values):
        return None
    return float(_binned(values, outcomes, np.ones((1, len(values))), bins)[0])


def errors_by_group(scores: Array, labels: ArrayLike, groups: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """For each group `n`, `error` (`calibration_error`) and `excess` (mean score minus base rate)."""
    of_group, outcomes = np.array(list(groups)), np.asarray(labels)
    found = {}
    for name in sorted(set(groups)):
        members = of_group == name
        found[name] = {
            "n": int(members.sum()),
            "error": calibration_error(scores[members], outcomes[members]),
            "excess": float(scores[members].mean() - outcomes[members].mean()),
        }
    return found


def _fitted(
    values: Array,
    outcomes: NDArray[np.int64],
    of_group: NDArray[Any],
    kinds: Mapping[str, str],
    shrink: float,
) -> Calibration:
    everyone = {kind: _FITS[kind](values, outcomes) for kind in set(kinds.values())}
    curves = []
    for name, kind in kinds.items():
        members = of_group == name
        own = _FITS[kind](values[members], outcomes[members])
        curves.append(_between(own, everyone[kind], group_weight(int(members.sum()), shrink)))
    return Calibration(tuple(kinds), tuple(curves), tuple(kinds.values()))


def _kind(method: Method, n: int) -> str:
    if method != "auto":
        return method
    return "isotonic" if n >= ISOTONIC_FROM else "platt"


def _platt(scores: Array, labels: NDArray[np.int64]) -> Curve:
    """The logistic curve by maximum likelihood on Platt's targets; `scores` [n], `labels` [n] of 0 and 1."""
    z, positives = logit(scores), int(labels.sum())
    high, low = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
    targets = np.where(labels == 1, high, low)

    def loss(at: Array) -> tuple[float, Array]:
        value = at[0] * z + at[1]
        error = sigmoid(value) - targets
        total = float((np.logaddexp(0, value) - targets * value).sum())
        return total, np.array([(error * z).sum(), error.sum()])

    found = _optimize().minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS")
    return Curve(float(found.x[0]), float(found.x[1]))


def _temperature(scores: Array, labels: NDArray[np.int64]) -> Curve:
    z = logit(scores)

    def loss(log_slope: float) -> float:
        value = np.exp(log_slope) * z
        return float((np.logaddexp(0, value) - labels * value).sum())

    found = _optimize().minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded")
    return Curve(float(np.exp(found.x)))


def _isotonic(scores: Array, labels: NDArray[np.int64]) -> Curve:
    # `xs`, `counts`, `shares` and `ys` are [m], one for each distinct score; `place` [n] says which is whose.
    xs, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    shares = np.bincount(place, labels) / counts
    ys = _optimize().isotonic_regression(shares, weights=counts).x
    # A run of equal values is kept by its two ends.
    ends = np.flatnonzero(np.append(True, np.diff(ys) != 0) | np.append(np.diff(ys) != 0, True))
    return Curve(xs=tuple(xs[ends].tolist()), ys=tuple(ys[ends].tolist()))


def _optimize() -> Any:
    """scipy's optimisers, imported only for fitting: applying a rule does not need them."""
    from scipy import optimize

    return optimize


_FITS: Mapping[str, _Fit] = {"platt": _platt, "temperature": _temperature, "isotonic": _isotonic}


def _between(own: Curve, everyone: Curve, weight: float) -> Curve:
    """The mixture of the group's own curve with weight `weight` and everyone's with the rest."""
    if own.xs:
        xs = np.unique(np.concatenate([own.xs, everyone.xs]))
        ys = weight * own(xs) + (1 - weight) * everyone(xs)
        return Curve(xs=tuple(xs.tolist()), ys=tuple(ys.tolist()))
    slope = weight * own.slope + (1 - weight) * everyone.slope
    return Curve(slope, weight * own.intercept + (1 - weight) * everyone.intercept)
