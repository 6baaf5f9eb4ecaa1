"""The arithmetic of the control: a family of models, read where it changed the model as much.

A family is read at one dose, g*: the median of the doses at which it loses as much capability as the treated
model (L), changes the model as much (the size d), and loses as much as the treated model may have lost (the
upper bound of L). Where capability is kept the size decides, for the losses are close to 0 and only the bound
is not; where it is certainly lost both losses agree and decide. Matched on capability alone, controls handed
in as treatments are claimed in 14 to 25 % of simulated cases; on size alone, a treatment that removes a fifth
of the bias is never seen.

There the family predicts one more model: a line through its models within a factor of two of g*, over log
dose, or over the measured loss where capability is certainly lost (`evenhand.stats.prediction`). The treated
model is that one more draw. With f the prediction, at most the base's bias (a control that raises the bias
adds nothing), S = f - B(M*), and p is that of Student's t.

Nothing here reads a bias to choose a model, a dose or a window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evenhand.metrics import Array
from evenhand.records import ControlPoint, Estimate, FamilyResult, Value
from evenhand.stats.prediction import LEAST, Prediction, predicted

WINDOW = 2.0  # models within this factor of g* are used
WHOLE = 0.9  # a model that leaves a smaller share of the items defined is broken
ROUNDING = 1e-3  # root nats: a smaller size is that of hooks, or other batches, in float32 (docs/adr/0048)
_BROKEN = 0.25  # a family with a larger share of broken models at g* is not matched
_REACH = 1.35  # how far beyond its largest dose a family may be read
LOOKS = ((6, 0.025), (9, 0.03), (13, 0.035))  # models of a family, and the largest p that is a claim then
FUTILE = 0.30  # a family with a larger p after a look ends the control

Basis = Literal["size", "loss", "recipe"]


def limit(models: int) -> float:
    """The largest p-value with which an effect is claimed when a family has this number of models."""
    return next((alpha for number, alpha in LOOKS if models <= number), LOOKS[-1][1])


@dataclass(frozen=True)
class Target:
    """The treated model beside its base.

    Attributes:
        before, after: B(M0) and B(M*).
        loss, loss_upper: L(M*) and its one-sided upper bound, in the items' SD; None without capability.
        lost: whether capability is certainly lost.
        size: d(M*); None where it was not measured, or is `untouched`.
        delta: the smallest relevant effect.
        items: the number of items of B.
        untouched: whether neutral text is as it was, but for rounding, so that no family can be matched by
            size: the loss decides, and a sham is made by the treatment's own recipe.
    """

    before: float
    after: float
    loss: Value
    loss_upper: Value
    lost: bool
    size: Value
    delta: float
    items: int
    untouched: bool = False


@dataclass(frozen=True)
class Family:
    """Control models, [M] each; NaN where undefined. `bias` is B beside that of the target (see `control`).

    `share` is the share of the items on which a model's bias is defined. `by_recipe` says that the models
    were made as the treatment was, with no dose to choose.
    """

    name: str
    dose: Array
    seed: NDArray[np.int64]
    loss: Array
    size: Array
    bias: Array
    share: Array
    by_recipe: bool = False

    def points(self) -> tuple[ControlPoint, ...]:
        """The models as points, by dose and seed."""
        rows = zip(self.dose, self.seed, -self.loss, self.bias, self.size, self.share, strict=True)
        return tuple(
            ControlPoint(float(d), int(s), *(_value(x) for x in rest))
            for d, s, *rest in sorted(rows, key=lambda row: row[:2])
        )


@dataclass(frozen=True)
class Place:
    """Where a family is read: the dose g*, and what is equal there. `reached` is False for a way off."""

    dose: float
    basis: Basis
    reached: bool = True


def place_of(target: Target, family: Family) -> Place | None:
    """The g* of a family by what its models show so far; None where nothing is known of it.

    A dose beyond the largest one that was tried is extrapolated; it is `reached` up to a third beyond it. A
    family that reaches the size and not the loss is read at the size, and another has to reach the loss.
    """
    if family.by_recipe:
        return Place(1.0, "recipe")
    by_size, dose = dose_of_size(family, target.size), sought(target, family)
    if dose is None:
        return None
    if by_size is not None and dose != by_size and not _within(dose, family) and _within(by_size, family):
        dose = by_size
    return Place(dose, "size" if dose == by_size else "loss", dose > 0 and _within(dose, family))


def sought(target: Target, family: Family) -> Value:
    """The dose at which a family should be read, whether or not it has been reached; None where unknown.

    Beyond the doses that were tried it is extrapolated: there the next model may show whether it can be.
    """
    by_size = dose_of_size(family, target.size)
    losses = [dose_of_loss(family, wanted) for wanted in (target.loss, target.loss_upper)]
    if by_size is None:
        return next((dose for dose in reversed(losses) if dose is not None), None)
    return sorted([by_size, *(by_size if dose is None else dose for dose in losses)])[1]


def dose_of_size(family: Family, wanted: Value) -> Value:
    """The dose of a wanted size of change, by a line of log size over log dose; None where unknown."""
    if wanted is None or not wanted > 0:
        return None
    known = np.isfinite(family.size) & (family.size > 0)
    if not known.any():
        return None
    x, y = np.log(family.dose[known]), np.log(family.size[known])
    # Where the doses hardly differ the size is taken to grow with the dose, as it does for small changes.
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0.1 else 1.0
    return float(np.exp(x.mean() + (math.log(wanted) - y.mean()) / min(3.0, max(0.3, slope))))


def dose_of_loss(family: Family, wanted: Value) -> Value:
    """The dose of a wanted loss, on the non-decreasing curve of mean losses from the base's 0.

    Beyond the largest loss it is extrapolated in proportion, at most to three times the largest dose. None
    where no loss is known.
    """
    known = np.isfinite(family.loss)
    if wanted is None or not known.any():
        return None
    doses = np.unique(family.dose[known])
    of = [family.loss[known & (family.dose == dose)] for dose in doses]
    curve = non_decreasing(np.array([x.mean() for x in of]), np.array([float(len(x)) for x in of]))
    knots, losses = np.concatenate([[0.0], doses]), np.concatenate([[0.0], np.maximum(curve, 0.0)])
    if wanted <= 0:
        return 0.0
    if wanted > losses[-1]:
        return float(knots[-1] * min(3.0, wanted / losses[-1] if losses[-1] > 0 else 3.0))
    right = int(np.argmax(losses >= wanted))
    low, high = losses[right - 1], losses[right]
    share = (wanted - low) / (high - low)
    return float(knots[right - 1] + share * (knots[right] - knots[right - 1]))


def non_decreasing(values: Array, weights: Array) -> Array:
    """The non-decreasing sequence closest to `values` [D] in weighted least squares, by pooling neighbours.

    Source: Barlow et al. 1972, theorem 1.4.4. `weights` [D] are positive.
    """
    pools: list[list[float]] = []  # mean, weight and length of each pool
    for value, weight in zip(values, weights, strict=True):
        pools.append([float(value), float(weight), 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            last, first = pools.pop(), pools.pop()
            whole = first[1] + last[1]
            pools.append([(first[0] * first[1] + last[0] * last[1]) / whole, whole, first[2] + last[2]])
    return np.concatenate([np.full(int(length), mean) for mean, _, length in pools])


def read_family(target: Target, family: Family) -> FamilyResult:
    """The family read at its g*; everything derived is None where it cannot be matched."""
    state, place, found = _reading(target, family)
    if found is None or place is None:
        return _unread(target, family, state, place)
    return _read(target, family, place, found)


def detectable(target: Target, family: Family) -> Value:
    """The smallest S that the family would have shown with a probability of 80 %; None where unknown."""
    _, _, found = _reading(target, family)
    return None if found is None else found.detectable(limit(len(family.dose)))


def _reading(target: Target, family: Family) -> tuple[str, Place | None, Prediction | None]:
    """A family's state, where it is read, and what it predicts there; no prediction unless it is matched."""
    place = place_of(target, family)
    state, window = _state(target, family, place)
    if state != "matched" or place is None:
        return state, place, None
    by_loss = target.lost and place.basis == "loss" and target.loss is not None
    x = family.loss if by_loss else np.log(family.dose)
    at = target.loss if by_loss else math.log(place.dose)
    assert at is not None
    found = predicted(x[window], family.bias[window], at)
    return ("few" if found is None else state), place, found


def _state(target: Target, family: Family, place: Place | None) -> tuple[str, NDArray[np.bool_]]:
    """Whether the family can be read at `place`, and which of its models are used there."""
    none = np.zeros(len(family.dose), dtype=bool)
    if place is None:
        return "unmatched", none
    near = np.ones_like(none) if family.by_recipe else _near(family.dose, place.dose)
    whole = (family.share >= WHOLE) & np.isfinite(family.bias)
    if near.any() and np.mean(~whole[near]) > _BROKEN:
        return "broken", none
    sizes = family.size[np.isfinite(family.size)]
    by_loss = target.lost and place.basis == "loss" and place.reached
    if target.size and len(sizes) and sizes.max() < target.size / 2 and not by_loss:
        return "inert", none
    if not place.reached:
        return "unmatched", none
    return ("matched" if (near & whole).sum() >= LEAST else "few"), near & whole


def _near(doses: Array, dose: float) -> NDArray[np.bool_]:
    slack = 1e-9
    return (doses >= dose / WINDOW - slack) & (doses <= dose * WINDOW + slack)


def _within(dose: float, family: Family) -> bool:
    return dose <= _REACH * float(family.dose.max())


def _read(target: Target, family: Family, place: Place, found: Prediction) -> FamilyResult:
    f = min(found.value, target.before)
    S, worse = f - target.after, max(found.value, target.before) - target.after
    half = found.half_width()
    equivalent = None
    if target.delta > 0 and (ninety := found.half_width(0.90)) is not None:
        equivalent = abs(S) + ninety < target.delta
    return FamilyResult(
        family.name,
        family.points(),
        matched=True,
        dose=place.dose,
        capability_part=_with(target.before - f, half, target.items),
        specific=_with(S, half, target.items),
        p_value=found.below(S),
        equivalent=equivalent,
        basis=place.basis,
        state="matched",
        p_limit=limit(len(family.dose)),
        p_worse=found.below(-worse),
    )


def _unread(target: Target, family: Family, state: str, place: Place | None) -> FamilyResult:
    nothing = Estimate(None, None, None, target.items)
    return FamilyResult(
        family.name,
        family.points(),
        matched=False,
        dose=None if place is None else place.dose,
        capability_part=nothing,
        specific=nothing,
        p_value=None,
        equivalent=None,
        basis="" if place is None else place.basis,
        state=state,
        p_limit=limit(len(family.dose)),
    )


def _with(value: float, half: Value, items: int) -> Estimate:
    low, high = (None, None) if half is None else (value - half, value + half)
    return Estimate(float(value), low, high, items, method="t")


def _value(x: float) -> Value:
    return float(x) if np.isfinite(x) else None
