"""Simulated control experiments at array level: every model is a row of item biases and item likelihoods.

The base has item gaps g_i. A dose d of damage shrinks every gap by the share `fade(d)` and lowers each text's
capability by `decay(d)`; a seed adds its own shift to both, and noise to each item. The treated model is
either one more draw of the placebo family (the null hypothesis) or a removal of the bias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evenhand.metrics import Array
from evenhand.records import FamilyResult
from evenhand.stats import resamples
from evenhand.studies.margins import Margins
from evenhand.studies.matching import Family, Target, read_family

ITEMS = 60


@dataclass(frozen=True)
class Setting:
    """How damage works, and how large the control experiment is."""

    doses: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
    seeds: int = 5
    fade: Callable[[float], float] = lambda d: 0.2 * d
    decay: Callable[[float], float] = lambda d: 0.1 * d**2
    spread: float = 0.03  # of seeds, at dose 1, as a share of the gaps
    tolerance: float = 0.0


def _with_point(weights: Array) -> Array:
    """`weights` [B, n] with a row of ones in front: the point value is resample 0."""
    return np.concatenate([np.ones((1, weights.shape[1])), weights])


class Experiment:
    """One simulated base, and the models made of it."""

    def __init__(self, setting: Setting, seed: int, draws: int = 300) -> None:
        self.setting, self.rng = setting, np.random.default_rng(seed)
        self.margins = Margins(draws=draws)
        self.gaps = self.rng.uniform(0.0, 0.8, ITEMS)
        # The gaps and the texts are resampled independently of each other.
        self.on_gaps = _with_point(resamples(None, ITEMS, draws, seed))
        self.on_texts = _with_point(resamples(None, ITEMS, draws, seed + 1))

    def damaged(self, dose: float) -> tuple[Array, Array]:
        """Bias and capability [R] of a new model with `dose` of damage, under a new seed."""
        s, rng = self.setting, self.rng
        shift, loss = rng.normal(0, s.spread * dose, 2)
        gaps = self.gaps * (1 - s.fade(dose) + shift) + rng.normal(0, 0.02 * dose, ITEMS)
        texts = -s.decay(dose) + loss / 2 + rng.normal(0, 0.05 * dose, ITEMS)
        return self.bias(gaps), self.on_texts @ texts / ITEMS

    def bias(self, gaps: Array) -> Array:
        """Mean gap in every resample, [R]."""
        return np.asarray(self.on_gaps @ gaps / ITEMS)

    def family(self) -> Family:
        """All control models."""
        pairs = [(dose, seed) for dose in self.setting.doses for seed in range(self.setting.seeds)]
        models = [self.damaged(dose) for dose, _ in pairs]
        return Family(
            "placebo",
            np.array([dose for dose, _ in pairs]),
            np.array([seed for _, seed in pairs]),
            np.stack([capability for _, capability in models]),
            np.stack([bias for bias, _ in models]),
        )

    def read(self, treated: tuple[Array, Array], family: Family | None = None) -> FamilyResult:
        """The family read at the capability of `treated` (bias, capability)."""
        bias, capability = treated
        target = Target(self.bias(self.gaps), capability, bias, self.setting.tolerance, ITEMS)
        return read_family(target, family or self.family(), margins=self.margins, seed=0)[0]


def false_claims(setting: Setting, simulations: int, seed: int = 0) -> int:
    """How many placebo models, handed in as treated ones, are called specific at 5 %."""
    claims = 0
    for i in range(simulations):
        experiment = Experiment(setting, seed * 100_000 + i)
        dose = experiment.rng.uniform(setting.doses[0], setting.doses[-1])
        result = experiment.read(experiment.damaged(dose))
        claims += result.p_value is not None and result.p_value <= 0.05
    return claims
