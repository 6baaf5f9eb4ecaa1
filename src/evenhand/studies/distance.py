"""The bias B: the signed distance of a model from the ideal of the metric that a verdict is about.

The sign is that of the base's side: the base itself has a positive B, and a model that went past the ideal to
the other side has a negative one. For a gap whose ideal is 0, its lowest value, B is the gap itself; for a
share whose ideal is 50 %, it is the distance from 50 % on the base's side.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenhand import registry
from evenhand.errors import UsageError
from evenhand.records import Effect, Estimate, Value

if TYPE_CHECKING:  # the tables of the command line need this module, and no numpy
    from evenhand.metrics import Array, Metric

STEPS = 5  # a bias below this many of the metric's smallest steps is not worth treating
_STEP = 0.02  # the smallest step of a metric that is not installed


@dataclass(frozen=True)
class Distance:
    """The distance from `ideal` to the side of `sign` (1 above it, -1 below), in the metric's unit.

    `step` is the metric's smallest relevant difference. `inside` is True when the ideal lies inside the
    metric's range, so that a model can deviate to both sides.
    """

    ideal: float
    sign: float = 1.0
    step: float = _STEP
    inside: bool = False

    @property
    def floor(self) -> float:
        """The distance below which there is no bias worth treating."""
        return STEPS * self.step

    @property
    def plain(self) -> bool:
        """Whether the distance equals the figure itself."""
        return self.ideal == 0 and self.sign > 0

    def of(self, values: Array) -> Array:
        """The distances of figures, elementwise."""
        found: Array = self.sign * (values - self.ideal)
        return found

    def value(self, value: Value) -> Value:
        """The distance of one figure; None where it is undefined."""
        return None if value is None else self.sign * (value - self.ideal)

    def estimate(self, found: Estimate) -> Estimate:
        """The distance of a figure with its interval; the ideal of a distance is 0."""
        return dataclasses.replace(self._turned(found, self.ideal), ideal=0.0)

    def change(self, found: Estimate) -> Estimate:
        """The change of the distance, from the change of the figure."""
        return self._turned(found, 0.0)

    def _turned(self, found: Estimate, centre: float) -> Estimate:
        ends = [None if x is None else self.sign * (x - centre) for x in (found.low, found.high)]
        low, high = ends if self.sign > 0 else ends[::-1]
        value = None if found.value is None else self.sign * (found.value - centre)
        return dataclasses.replace(found, value=value, low=low, high=high)


def distance(metric: Metric, before: Value) -> Distance:
    """The distance from the metric's ideal along the direction of a base whose figure is `before`.

    Where the base is exactly at an ideal inside the range, or is undefined, distances count upwards.

    Raises:
        UsageError: the metric has no ideal.
    """
    if metric.ideal is None:
        raise UsageError(
            f"{metric.name} has no ideal value, so no distance to it can be computed.",
            mend="Choose a metric that has one; `evenhand ls metrics` lists them.",
        )
    inside = metric.ideal not in (metric.low, metric.high)
    if metric.ideal == metric.high:
        sign = -1.0
    else:
        sign = -1.0 if inside and before is not None and before < metric.ideal else 1.0
    return Distance(metric.ideal, sign, metric.smallest_step, inside)


def relative_change(metric: str, before: Estimate, change: Estimate) -> Value:
    """The `change` of a figure as a share of what it was: -1 where nothing is left.

    For a metric whose ideal lies inside its range (SS, best at 50) this is the change of the distance from
    the ideal as a share of that distance: from 96.7 to 50 it is -1, and beyond the ideal below -1. None where
    the change is undefined, or where there was nothing that it could be a share of.
    """
    found: Metric | None = registry.find("metric", metric)
    inside = found is not None and before.ideal is not None and before.ideal not in (found.low, found.high)
    if before.value is None or change.value is None:
        return None
    there = before.value - (before.ideal or 0.0) if inside else before.value
    return change.value / there if there else None


def as_reported(name: str, reported: Estimate) -> Metric:
    """The metric `name` with the ideal that the benchmark gave it in `reported`.

    Raises:
        UnknownName: no such metric is installed.
    """
    metric: Metric = registry.get("metric", name)
    return metric if metric.ideal == reported.ideal else dataclasses.replace(metric, ideal=reported.ideal)


def distance_of(effect: Effect) -> Distance:
    """The distance in which an effect on the metric of a verdict is expressed."""
    metric: Metric | None = registry.find("metric", effect.metric)
    if metric is None:
        return Distance(effect.before.ideal or 0.0)
    ideal = metric.ideal if effect.before.ideal is None else effect.before.ideal
    return distance(dataclasses.replace(metric, ideal=ideal), effect.before.value)
