"""Whether a model uses the words at all that a figure is about.

A gap between words that a model hardly writes says little about what it writes, and a small one is no
evidence of little bias. `verify` refuses such a base model; `measure`, `report` and `gate` ask the same
function about every benchmark of bias that gives the words' probability, over all items and by slice.
Capability is not affected, nor are the words' probability itself and the counts of items.
"""

from __future__ import annotations

from collections.abc import Mapping

from evenhand.records import Estimate, Measurement, Value

MASSES: Mapping[str, str] = {"mass": "terms", "label_mass": "label words"}
"""The metrics that give the words' probability, and which words: the groups' terms, or decisions' labels."""
FLOOR = 0.001  # mean probability of all the words together below which the model hardly uses them


def mass_name(figures: Mapping[str, Estimate]) -> str | None:
    """Which of `MASSES` is among `figures`; None for a benchmark that has none."""
    return next((name for name in MASSES if name in figures), None)


def hardly_used(mass: Value, floor: float = FLOOR) -> bool:
    """Whether the words' probability is below `floor`; an undefined one (None) says nothing."""
    return mass is not None and mass < floor


def doubt(figures: Mapping[str, Estimate], floor: float = FLOOR) -> str:
    """Why the figures of a table about bias are not to be believed; empty where there is no reason."""
    name = mass_name(figures)
    if name is None or not hardly_used(figures[name].value, floor):
        return ""
    return hardly_uses(figures[name].value, floor, words=MASSES[name])


def hardly_uses(mass: Value, floor: float, *, words: str = "terms", base: bool = False) -> str:
    """The sentences about a model (or the `base` of a treated one) whose `words` have this probability."""
    shown = f"was {mass:.2g} before the treatment" if base else f"is {mass:.2g}"
    return (
        f"The model hardly uses the {words}: their probability together {shown}, below "
        f"{floor:g}. A gap between words that it does not write says little about what it writes."
    )


def doubts(measurement: Measurement) -> dict[str, str]:
    """The `doubt` about each table of a measurement that has one: by slice, and ``""`` for all items.

    Empty for capability. A slice without the words' probability shares the doubt about all items.
    """
    if measurement.role != "bias":
        return {}
    whole = doubt(measurement.metrics)
    parts = {
        key: doubt(figures) if mass_name(figures) else whole for key, figures in measurement.slices.items()
    }
    return {key: why for key, why in {"": whole, **parts}.items() if why}
