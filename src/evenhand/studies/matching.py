"""The arithmetic of the capability-matched control: arrays in, estimates out.

Every array has a last axis R = 1 + resamples: entry 0 is the point value, the others are paired resamples of
the items (the same for all models). A family of control models is read at the treated model's capability:

- capability against dose is made non-increasing (isotonic regression) with the untreated model, dose 0 and
  C = 0, as a fixed end;
- the dose at which it equals the treated model's capability is interpolated, and so is the bias there, f;
- K = B(M0) - f is what this loss of capability does by itself, S = f - B(M*) what the treatment does beyond.

Both sources of randomness are resampled: items, and seeds. Of the s seeds of a dose, s - 1 are drawn with
replacement, which makes the bootstrap variance of their mean unbiased (Rao & Wu 1988).

The treated model is a single model. The question is whether *this* model could be one more member of the
family, so the random variation of a single model is added to S as a prediction error. The spread of a single
model cannot be estimated from itself, so the spread of the family is used: for each of the control models
nearest in capability, its bias is compared with the curve fitted to all the others, and the root mean square
of these leave-one-out residuals scales a Student t. Nearness is measured in capability, not in dose, because
models of different doses can have the same capability, and the spread of bias among equally capable models is
what matters. In simulation (8 doses x 5 seeds) a control model in the place of the treated one is called
specific in 4 % of cases, and in 25 % without this term; with 4 doses x 2 seeds of very unequal spread it can
reach 9 %, one reason why a reduced control is marked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand import stats
from evenhand.metrics import Array
from evenhand.records import ControlPoint, Estimate, FamilyResult, Value
from evenhand.studies.margins import Margins

_NEAREST = 8  # smallest number of control models whose residuals estimate the spread
_POWER = 0.842  # normal quantile of a power of 80 %
_NINETY = 1.645  # normal quantile of 95 %, the end of a 90 % interval


@dataclass(frozen=True)
class Target:
    """The base and the treated model: `bias` B(M0), `capability` C(M*) and `treated` B(M*), each [R].

    `tolerance` is how far C(M*) may lie below the capability of the least capable dose and still be matched
    to that dose, in the units of C; `items` is the number of items on which B was measured.
    """

    bias: Array
    capability: Array
    treated: Array
    tolerance: float
    items: int


@dataclass(frozen=True)
class Family:
    """Control models: `dose` and `seed` [M], `capability` and `bias` [M, R]. The base is not among them."""

    name: str
    dose: Array
    seed: NDArray[np.int64]
    capability: Array
    bias: Array

    def only(self, rows: NDArray[np.bool_]) -> Family:
        """The models that `rows` [M] marks."""
        return Family(self.name, self.dose[rows], self.seed[rows], self.capability[rows], self.bias[rows])

    def points(self) -> tuple[ControlPoint, ...]:
        """The models as points, by dose and seed."""
        rows = zip(self.dose, self.seed, self.capability[:, 0], self.bias[:, 0], strict=True)
        return tuple(
            ControlPoint(float(d), int(s), _value(c), _value(b))
            for d, s, c, b in sorted(rows, key=lambda r: r[:2])
        )


def non_increasing(values: Array, weights: Array) -> Array:
    """The non-increasing sequence closest to `values` [D, R] along the first axis, in weighted least squares.

    The min-max form of isotonic regression (Barlow et al. 1972, theorem 1.4.4): entry k is the smallest, over
    starts i <= k, of the largest mean over i..j, j >= k. `weights` [D] are positive.
    """
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values * weights[:, None], axis=0)])
    totals = np.concatenate([[0.0], np.cumsum(weights)])
    fitted = np.empty_like(values)
    D = len(values)
    for k in range(D):
        starts = [
            np.max([(sums[j + 1] - sums[i]) / (totals[j + 1] - totals[i]) for j in range(k, D)], axis=0)
            for i in range(k + 1)
        ]
        fitted[k] = np.min(starts, axis=0)
    return fitted


@dataclass(frozen=True)
class Curve:
    """A family as a curve over dose: `doses` [K] with the base's 0 first, `capability` and `bias` [K, R].

    Capability does not increase with dose.
    """

    doses: Array
    capability: Array
    bias: Array

    def at(self, capability: Array, tolerance: float) -> tuple[Array, Array]:
        """Dose and bias where the family has the wanted `capability` [R]: two arrays [R].

        A capability above the base's is read at the base's; one below the last dose's by at most `tolerance`
        at the last; further below, both answers are NaN: not matchable. Where several doses have exactly the
        capability sought (a plateau), all of them are equally capable controls, and the one with the least
        bias is read: the choice that credits the treatment least.
        """
        knots, column = self.capability, np.arange(len(capability))
        c = np.minimum(np.maximum(capability, knots[-1]), knots[0])
        right = np.argmax(knots <= c, axis=0)
        left = np.maximum(right - 1, 0)
        height = knots[left, column] - knots[right, column]
        share = np.divide(knots[left, column] - c, height, out=np.zeros_like(c), where=height > 0)
        dose = self.doses[left] + share * (self.doses[right] - self.doses[left])
        bias = self.bias[left, column] + share * (self.bias[right, column] - self.bias[left, column])
        tied = np.where((knots == c) & np.isfinite(self.bias), self.bias, np.inf)
        best = np.argmin(tied, axis=0)
        level = np.isfinite(tied[best, column])
        reached = capability >= knots[-1] - tolerance
        dose = np.where(level, self.doses[best], dose)
        bias = np.where(level, self.bias[best, column], bias)
        return np.where(reached, dose, np.nan), np.where(reached, bias, np.nan)


def read_family(target: Target, family: Family, *, margins: Margins, seed: int) -> tuple[FamilyResult, Value]:
    """A family read at the treated model's capability, and the smallest S that it could detect.

    The p-value is one-sided for S <= 0; a resample in which the match fails counts as S <= 0. The p-value and
    everything derived from it are None when the family is not matched, or when it has a single model, so that
    the spread of models is unknown. The smallest detectable S has a power of 80 % in a one-sided test at 5 %.
    """
    rng = np.random.default_rng(seed)
    usable = family.only(np.isfinite(family.capability[:, 0]) & np.isfinite(family.bias[:, 0]))
    curve = _curve(target.bias, usable, rng)
    dose = float(curve.at(target.capability, target.tolerance)[0][0])
    if not np.isfinite(dose):
        nothing = Estimate(None, None, None, target.items)
        return FamilyResult(family.name, family.points(), False, None, nothing, nothing, None, None), None
    _, f = curve.at(target.capability, target.tolerance)
    K, S = target.bias - f, f - target.treated - _prediction_noise(target, usable, rng)
    known = bool(np.isfinite(S[1:]).any())
    delta = margins.equivalence * float(target.bias[0])
    result = FamilyResult(
        family.name,
        family.points(),
        matched=True,
        dose=dose,
        capability_part=summary(K, target.items),
        specific=summary(S, target.items),
        p_value=(1 + int(np.count_nonzero(~(S[1:] > 0)))) / len(S) if known else None,
        equivalent=stats.tost(S[1:], delta, margins.alpha) if known and delta > 0 else None,
    )
    return result, _detectable(S)


def _detectable(S: Array) -> Value:
    """The quantile range stands for the standard deviation, which a Student t of few seeds may not have."""
    low, high = stats.interval(S[1:], 0.90)
    return None if low is None or high is None else (_NINETY + _POWER) * (high - low) / (2 * _NINETY)


def _value(x: float) -> Value:
    return float(x) if np.isfinite(x) else None


def summary(values: Array, items: int, level: float = 0.95) -> Estimate:
    """The point value and the interval of resampled `values` [R]; None where undefined."""
    low, high = stats.interval(values[1:], level)
    return Estimate(_value(values[0]), low, high, items, level=level)


def _curve(base: Array, family: Family, rng: np.random.Generator) -> Curve:
    doses = np.unique(family.dose)
    R = len(base)
    C, B = np.zeros((1, R)), base[None]
    if len(doses):
        means = [_over_seeds(family, dose, rng) for dose in doses]
        counts = np.array([np.count_nonzero(family.dose == dose) for dose in doses], dtype=np.float64)
        # A bounded isotonic fit is the unbounded fit clipped at the bound: the base's C, 0 by definition.
        fitted = np.minimum(non_increasing(np.stack([c for c, _ in means]), counts), 0.0)
        C = np.concatenate([C, fitted])
        B = np.concatenate([B, np.stack([b for _, b in means])])
    return Curve(np.concatenate([[0.0], doses]), C, B)


def _over_seeds(family: Family, dose: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Mean capability and bias [R] at one dose: over all seeds in entry 0, over resampled ones elsewhere."""
    rows = np.flatnonzero(family.dose == dose)
    R, s = family.bias.shape[1], len(rows)
    draws = max(s - 1, 1)
    chosen = rng.integers(s, size=(R, draws)) + np.arange(R)[:, None] * s
    share = np.bincount(chosen.ravel(), minlength=R * s).reshape(R, s).T / draws
    share[:, 0] = 1 / s
    return (share * family.capability[rows]).sum(axis=0), (share * family.bias[rows]).sum(axis=0)


def _prediction_noise(target: Target, family: Family, rng: np.random.Generator) -> Array:
    """The random prediction error of S, because the treated model is a single model, [R]; entry 0 is 0.

    The residuals are those of the control models nearest in capability, each read on the curve of the others.
    """
    c, R = family.capability[:, 0], family.bias.shape[1]
    seeds = len(c) // len(np.unique(family.dose))
    near = np.argsort(np.abs(c - target.capability[0]), kind="stable")[: max(_NEAREST, 2 * seeds)]
    residuals = np.array([_left_out(target, family, int(m)) for m in near])
    known = residuals[np.isfinite(residuals)]
    noise = np.full(R, np.nan)
    if len(known) > 1:
        noise = np.sqrt(np.mean(known**2)) * rng.standard_t(len(known), size=R)
    noise[0] = 0.0
    return noise


def _left_out(target: Target, family: Family, m: int) -> float:
    """The bias that the other control models predict for model `m` at its capability, minus its own bias."""
    others = family.only(np.arange(len(family.dose)) != m)
    points = Family(others.name, others.dose, others.seed, others.capability[:, :1], others.bias[:, :1])
    curve = _curve(target.bias[:1], points, np.random.default_rng(0))
    return float(curve.at(family.capability[m, :1], np.inf)[1][0] - family.bias[m, 0])
