"""Weighted least squares of the signed gap on two scores of a profession, for many weightings at once.

Source: DAMA (Limisiewicz, Mareček and Musil 2024, Debiasing Algorithm through Model Adaptation): over items,
``y = P(he) - P(she)`` is regressed on the stereotypical score x_s and the factual score x_f,
``y = a_s x_s + a_f x_f + b``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.metrics import Array, Columns, Metric
from evenhand.metrics._groups import GROUPS, probabilities, signed_gap

DAMA = "Debiasing Algorithm through Model Adaptation (DAMA): its regression on the two scores"
COEFFICIENTS = ("a_s", "a_f", "b")
SINGULAR = 1e-10  # relative size below which a spread or a determinant is rounding noise


def regress(y: Array, x: Array, z: Array, weights: Array) -> Array:
    """Coefficients of ``y = a x + c z + b``: `y`, `x`, `z` [n] and `weights` [B, n] to [B, 3] (a, c, b).

    Items with an undefined entry are left out. NaN where the scores do not identify both slopes (one is
    constant, they are collinear, or fewer than three distinct items count).
    """
    used = _used(y, x, z)
    if not used.any() or _constant(x[used]) or _constant(z[used]):
        return np.full((len(weights), 3), np.nan)
    # Centring by the overall means first keeps the moments below free of cancellation. The moments are
    # [B, 9]; mx is the weighted mean of x, xz first that of x * z and then the covariance, all [B].
    centres = [v[used].mean() for v in (y, x, z)]
    y, x, z = (np.where(used, v - centre, 0.0) for v, centre in zip((y, x, z), centres, strict=True))
    moments = weights @ np.stack([used, y, x, z, x * x, x * z, z * z, x * y, z * y], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        my, mx, mz, xx, xz, zz, xy, zy = (moments[:, 1:] / moments[:, :1]).T
        xx, xz, zz, xy, zy = xx - mx * mx, xz - mx * mz, zz - mz * mz, xy - mx * my, zy - mz * my
        det = xx * zz - xz * xz
        det = np.where(det > SINGULAR * x[used].var() * z[used].var(), det, np.nan)
        a, c = (zz * xy - xz * zy) / det, (xx * zy - xz * xy) / det
    return np.stack([a, c, centres[0] + my - a * (centres[1] + mx) - c * (centres[2] + mz)], axis=1)


def _used(y: Array, x: Array, z: Array) -> NDArray[np.bool_]:
    return np.isfinite(y) & np.isfinite(x) & np.isfinite(z)


def _constant(v: Array) -> bool:
    """Whether `v` varies by no more than rounding."""
    return bool(np.ptp(v) <= SINGULAR * np.abs(v).max())


def coefficient_metric(name: str, title: str, *, which: str, **about: object) -> Metric:
    """The metric that reports one of `COEFFICIENTS` (a_s, a_f or b)."""
    index = COEFFICIENTS.index(which)
    return Metric(
        name,
        title,
        low=None,
        high=None,
        source=DAMA,
        needs=(GROUPS, "stereotypical", "factual"),
        compute=lambda table, weights: regress(*_variables(table), weights)[:, index],
        items=lambda table: _used(*_variables(table)),
        **about,  # type: ignore[arg-type]
    )


def _variables(table: Columns) -> tuple[Array, Array, Array]:
    return signed_gap(probabilities(table)), table["stereotypical"], table["factual"]


STEREOTYPE_SLOPE = coefficient_metric(
    "stereotype_slope",
    "Slope on the stereotypical score",
    which="a_s",
    unit="probability per unit of stereotypical score",
    ideal=0.0,
    reading="a_s of P(he) - P(she) = a_s·stereotypical + a_f·factual + b. Positive: the model leans to he "
    "where people do (scores run from -1, she, to 1, he). Swapping the groups flips the sign. Undefined when "
    "the two scores do not vary independently.",
)


FACTUAL_SLOPE = coefficient_metric(
    "factual_slope",
    "Slope on the factual score",
    which="a_f",
    unit="probability per unit of factual score",
    ideal=None,
    reading="a_f of P(he) - P(she) = a_s·stereotypical + a_f·factual + b. Knowledge rather than bias: a "
    "treatment should keep it. Swapping the groups flips the sign. Undefined when the two scores do not vary "
    "independently.",
)


SLOPE_INTERCEPT = coefficient_metric(
    "slope_intercept",
    "Lean of a profession with both scores at 0",
    which="b",
    unit="probability",
    ideal=0.0,
    reading="b of P(he) - P(she) = a_s·stereotypical + a_f·factual + b. Positive: the model leans to he for "
    "a profession without stereotype. Swapping the groups flips the sign. Undefined when the two scores do "
    "not vary independently.",
)


components = (
    STEREOTYPE_SLOPE,
    FACTUAL_SLOPE,
    SLOPE_INTERCEPT,
)
