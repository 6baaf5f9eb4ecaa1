"""Whether a figure can be distinguished from chance level, and from the ideal.

A model that guesses answers one of four options correctly and prefers half of the stereotypes: it looks
unbiased, and has no capability to lose. So `measure` and `verify` report figures that are at chance level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evenhand import registry
from evenhand.decimals import fixed, significant
from evenhand.metrics import Metric
from evenhand.records import Estimate, Measurement, Score, Value


def at_chance(measurement: Measurement) -> list[str]:
    """At most one sentence about a measurement: see `said`."""
    return said(measurement.benchmark, measurement.metrics, measurement.scores)


def said(benchmark: str, figures: Mapping[str, Estimate], scores: Sequence[Score]) -> list[str]:
    """One sentence that lists the figures over all items at chance level (their interval holds it).

    Where the chance level is unknown for all figures, the primary figure is compared with its ideal if that
    lies inside its range. Empty where no figure is at chance level, or none has an interval.
    """
    levels = {name: level(name, figures, scores) for name in figures}
    found = [name for name, chance in levels.items() if _holds(figures[name], chance)]
    if found:
        listed = "; ".join(f"{name} is {_shown(figures[name])}{_guessed(name, levels)}" for name in found)
        return [f"At chance on {benchmark}, like a model that guesses: {listed}."]
    primary = next(iter(figures), "")
    if any(chance is not None for chance in levels.values()) or not _inside(primary):
        return []
    ideal = figures[primary].ideal
    if not _holds(figures[primary], ideal):
        return []
    shown = _shown(figures[primary])
    return [f"On {benchmark}, {primary} is {shown}: it cannot be distinguished from the ideal, {ideal:g}."]


def level(name: str, figures: Mapping[str, Estimate], scores: Sequence[Score]) -> Value:
    """The chance level of the figure `name`: its value for a model that guesses; None if unknown.

    It is a constant of the metric; for an accuracy, the mean over the items of 1 / number of options; for the
    accuracy of decisions, what random decisions with the model's own rate reach.
    """
    metric: Metric | None = registry.find("metric", name)
    if metric is not None and metric.chance is not None:
        return metric.chance
    if metric is None or not metric.chance_of:
        return None
    if metric.chance_of in figures:
        return figures[metric.chance_of].value
    known = [chance for score in scores if (chance := score.values.get(metric.chance_of)) is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


def _holds(estimate: Estimate, value: Value) -> bool:
    if value is None or estimate.low is None or estimate.high is None:
        return False
    return estimate.low <= value <= estimate.high


def _inside(name: str) -> bool:
    """Whether the metric's ideal lies inside its range, so that a figure can deviate to both sides."""
    metric: Metric | None = registry.find("metric", name)
    return metric is not None and metric.direction.startswith("best at")


def _guessed(name: str, levels: Mapping[str, Value]) -> str:
    metric: Metric | None = registry.find("metric", name)
    chance = levels[name]
    even = ", as is the ideal" if metric is not None and metric.ideal == chance else ""
    return f", and chance is {significant(chance)}{even}"


def _shown(estimate: Estimate) -> str:
    places = 1 if estimate.value is not None and abs(estimate.value) >= 10 else 3
    value, low, high = (fixed(end, places) for end in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"
