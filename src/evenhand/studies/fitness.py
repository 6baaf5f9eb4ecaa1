"""Whether a model uses the words that a metric is about.

A gap between words that a model hardly writes says little about its output, and a small gap is no evidence
of little bias. `verify` refuses such a base model; `measure`, `report` and `gate` apply the same check to
every bias benchmark that gives the words' probability, over all items and by slice. Capability is not
affected, nor are the words' probability itself and the counts of items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evenhand import registry
from evenhand.decimals import significant
from evenhand.records import Estimate, GuardName, Measurement, Value

if TYPE_CHECKING:  # numpy must not be loaded for --help
    from evenhand.metrics import Metric

FLOOR = 0.001  # mean probability of all the words together below which the model hardly uses them


def mass_of(measurement: Measurement) -> Metric | None:
    """The metric for the probability of the words whose gap a benchmark measures; None without one."""
    name = measurement.guards.get(GuardName.MASS)
    if name is None or name not in measurement.metrics:
        return None
    found: Metric | None = registry.find("metric", name)
    return found


def is_about_words(metric: str) -> bool:
    """Whether a metric is itself the words' probability, so that the check of their use does not apply."""
    found: Metric | None = registry.find("metric", metric)
    return found is not None and bool(found.words)


def hardly_used(mass: Value, floor: float = FLOOR) -> bool:
    """Whether the words' probability is below `floor`; False if it is undefined (None)."""
    return mass is not None and mass < floor


def doubt(figures: Mapping[str, Estimate], mass: Metric, floor: float = FLOOR) -> str:
    """Why the figures of a bias table are unreliable; empty if there is no reason."""
    found = figures.get(mass.name)
    if found is None or not hardly_used(found.value, floor):
        return ""
    return hardly_uses(found.value, floor, words=mass.words)


def hardly_uses(mass: Value, floor: float, *, words: str = "terms", base: bool = False) -> str:
    """The sentences about a model (or the `base` of a treated one) whose `words` have this probability."""
    shown = f"was {significant(mass, 2)} before the treatment" if base else f"is {significant(mass, 2)}"
    return (
        f"The model hardly uses the {words}: their probability together {shown}, below "
        f"{floor:g}. A gap between words that it does not write says little about what it writes."
    )


def doubts(measurement: Measurement) -> dict[str, str]:
    """The `doubt` of each table of a measurement that has one: by slice, and ``""`` for all items.

    Empty for capability. A slice without the words' probability has the doubt of all items.
    """
    mass = mass_of(measurement)
    if measurement.role != "bias" or mass is None:
        return {}
    whole = doubt(measurement.metrics, mass)
    parts = {
        key: doubt(figures, mass) if mass.name in figures else whole
        for key, figures in measurement.slices.items()
    }
    return {key: why for key, why in {"": whole, **parts}.items() if why}
