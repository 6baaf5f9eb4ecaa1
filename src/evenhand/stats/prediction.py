"""What one more draw would be, predicted from others: a line through them, and Student's t of its error.

A treated model is a single model. Whether it could be one more of a few others is a question about a new
observation, not about a mean: the error of the prediction holds the spread of single draws as well as the
uncertainty of the line (Draper & Smith 1998, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from evenhand.records import Value

LEAST = 4  # draws: fewer leave too little to estimate their spread from


@dataclass(frozen=True)
class Prediction:
    """The predicted `value` of one more draw, the standard `error` of that, and the degrees of `freedom`."""

    value: float
    error: float
    freedom: int

    def below(self, departure: float) -> Value:
        """One-sided p-value of a draw that lies `departure` below what was predicted; None without spread."""
        if not self.error > 0:
            return None
        return float(stdtr(self.freedom, -departure / self.error))

    def half_width(self, level: float = 0.95) -> Value:
        """Half of the two-sided interval of a new draw; None without spread."""
        return float(stdtrit(self.freedom, (1 + level) / 2)) * self.error if self.error > 0 else None

    def detectable(self, alpha: float, power: float = 0.8) -> Value:
        """The departure that a one-sided test at `alpha` finds with `power`; None without spread."""
        if not self.error > 0:
            return None
        quantiles = stdtrit(self.freedom, 1 - alpha) + stdtrit(self.freedom, power)
        return float(quantiles) * self.error


def predicted(x: ArrayLike, y: ArrayLike, at: float) -> Prediction | None:
    """The prediction of `y` [n] at ``x = at`` by a line through them; by their mean where all `x` are equal.

    n - 2 degrees of freedom (n - 1 for the mean). Pairs with an undefined member are left out; None with
    fewer than 4 pairs.
    """
    xs, ys = (np.asarray(one, dtype=np.float64).ravel() for one in (x, y))
    known = np.isfinite(xs) & np.isfinite(ys)
    xs, ys = xs[known], ys[known]
    n = len(ys)
    if n < LEAST:
        return None
    centre, mean = float(xs.mean()), float(ys.mean())
    spread = float(((xs - centre) ** 2).sum())
    if spread <= 1e-12 * n * max(1.0, centre**2):
        error = float(ys.std(ddof=1)) * np.sqrt(1 + 1 / n)
        return Prediction(mean, float(error), n - 1)
    slope = float(((xs - centre) * (ys - mean)).sum()) / spread
    left = ys - mean - slope * (xs - centre)
    variance = float((left**2).sum()) / (n - 2)
    error = np.sqrt(variance * (1 + 1 / n + (at - centre) ** 2 / spread))
    return Prediction(mean + slope * (at - centre), float(error), n - 2)
