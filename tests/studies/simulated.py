"""Simulated control experiments at array level: every model has a size of change, a loss and a bias.

A family's size grows with its dose, its loss with the square of it, and its bias fades; every model has its
own deviation from that. The treated model is one more draw of the first family at dose 1 (the null
hypothesis), less a share of the bias that a treatment removes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from evenhand.metrics import Array
from evenhand.records import FamilyResult
from evenhand.studies.looks import SPREAD
from evenhand.studies.matching import FUTILE, LOOKS, Family, Target, place_of, read_family
from evenhand.studies.parts import beyond, least, passes

BIAS = 0.445
Draw = Callable[[float], tuple[float, float, float]]  # size, loss and bias at a dose


def world(rng: np.random.Generator, wider: float = 1.0) -> tuple[Draw, Draw]:
    """A family of its own kind: how size, loss and bias follow the dose, and how far its models scatter.

    The second way of drawing is the same with biases that scatter `wider` times as far.
    """
    gain, power, fade = rng.uniform(0.1, 0.4), rng.uniform(0.7, 1.5), rng.uniform(0.0, 0.15)
    cost, spread = rng.uniform(0.02, 0.3), rng.uniform(0.005, 0.06)

    def draw(dose: float, scatter: float = spread) -> tuple[float, float, float]:
        size = gain * dose**power * np.exp(rng.normal(0, 0.08))
        return (
            size,
            cost * dose**2 + rng.normal(0, 0.01),
            BIAS - fade * np.log1p(dose) + rng.normal(0, scatter),
        )

    return draw, lambda dose: draw(dose, wider * spread)


@dataclass
class Grown:
    """A family that grows model by model."""

    draw: Draw
    rows: list[tuple[float, float, float, float]] = field(default_factory=list)  # dose, size, loss, bias

    def family(self, *, blind: bool = False) -> Family:
        """The models so far; without their bias where it must not be read."""
        table = np.array(self.rows)
        bias = np.full(len(table), np.nan) if blind else table[:, 3]
        numbers = np.arange(len(table))
        return Family("f", table[:, 0], numbers, table[:, 2], table[:, 1], bias, np.ones(len(table)))

    def grow(self, target: Target, number: int, rng: np.random.Generator) -> None:
        """Models until there are `number`, placed as a study places them."""
        while len(self.rows) < number:
            made = len(self.rows)
            dose = float(np.exp(rng.normal(0, 0.3)))
            if made:
                place = place_of(target, self.family(blind=True))
                dose = place.dose * SPREAD[made] if place is not None and place.dose > 0 else dose
                tried = [row[0] for row in self.rows]
                dose = min(max(dose, min(tried) / 4), max(tried) * 4)
            self.rows.append((dose, *self.draw(dose)))


def experiment(seed: int, families: int = 3, removed: float = 0.0, wider: float = 1.0) -> tuple[bool, int]:
    """Whether the treated model is claimed to be beyond every family, and how many models that took.

    The treated model's bias scatters `wider` times as far as those of its own family, the first.
    """
    rng = np.random.default_rng(seed)
    worlds = [world(rng, wider) for _ in range(families)]
    size, loss, bias = worlds[0][1](1.0)
    bias -= removed * BIAS
    delta = 0.1 * BIAS
    target = Target(BIAS, bias, loss, max(loss + 0.03, 0.02), loss > 0.06, size, delta, 300)
    grown = [Grown(draw) for draw, _ in worlds]
    found: list[FamilyResult] = []
    for number, _ in LOOKS:
        for one in grown:
            one.grow(target, number, rng)
        found = [read_family(target, one.family()) for one in grown]
        futile = any(result.p_value is not None and result.p_value > FUTILE for result in found)
        if futile or all(passes(result.p_value, result.p_limit) for result in found):
            break
    fall = BIAS - bias
    shown = fall >= delta and all(beyond(result, least(delta, fall, clean=False)) for result in found)
    return shown, sum(len(one.rows) for one in grown)


def share_claimed(runs: int, seed: int, families: int = 3, removed: float = 0.0, wider: float = 1.0) -> float:
    """The share of such experiments that end in a claim."""
    found = [experiment(seed * 100_000 + i, families, removed, wider)[0] for i in range(runs)]
    return float(np.mean(found))


def family(doses: Array, bias: Callable[[float], float], *, size: float = 0.1, loss: float = 0.05) -> Family:
    """A family without chance: size and loss in proportion to the dose."""
    n = len(doses)
    return Family(
        "f",
        np.asarray(doses, dtype=np.float64),
        np.arange(n),
        loss * np.asarray(doses),
        size * np.asarray(doses),
        np.array([bias(float(dose)) for dose in doses]),
        np.ones(n),
    )
