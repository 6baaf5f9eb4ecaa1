"""The control families of the capability-matched control: which models to make, at which doses and seeds.

None of them carries a signal about the attribute (methods: placebo tuning in the treated parameters, noise in
the same parameters, noise in other blocks). Doses are spaced geometrically: from hardly any damage to a
model that has lost most of what it knew.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenhand import registry
from evenhand.mitigations import Mitigation
from evenhand.models import OpenModel
from evenhand.studies.options import Extent

if TYPE_CHECKING:
    from evenhand.treatments import Treatment

DOSES: Mapping[str, tuple[float, ...]] = {
    "placebo": (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    "noise": (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0),
    "noise elsewhere": (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0),
}
SEEDS = 5
REDUCED_DOSES: Mapping[str, tuple[float, ...]] = {
    "placebo": (1.0, 4.0, 16.0, 64.0),
    "noise": (0.05, 0.2, 0.5, 1.0),
}
REDUCED_SEEDS = 2


@dataclass(frozen=True)
class Planned:
    """One control model to be made: `mitigation` is its recipe, `names` the parameters that it touches."""

    family: str
    dose: float
    seed: int
    mitigation: Mitigation
    names: tuple[str, ...]

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that decides what comes out, for the key of its cells."""
        return registry.spec_of(self.family, self.mitigation), self.seed, self.names


def planned(model: OpenModel, treatment: Treatment, extent: Extent, seed: int) -> tuple[Planned, ...]:
    """The control models for a treatment, family by family, from the smallest dose to the largest.

    A treatment that changes weights is matched by damage to the same parameters; one that changes none, by
    damage to all. A treatment of every block leaves no other block, hence no family of noise elsewhere.
    """
    if extent == "none":
        return ()
    doses, seeds = (DOSES, SEEDS) if extent == "full" else (REDUCED_DOSES, REDUCED_SEEDS)
    return tuple(
        Planned(family, dose, seed + number, _make(family, dose, names, treatment), names)
        for family, ladder in doses.items()
        for dose in ladder
        for number in range(1, seeds + 1)
        if (names := _names(family, model, treatment, seed + number))
    )


def _names(family: str, model: OpenModel, treatment: Treatment, seed: int) -> tuple[str, ...]:
    every = tuple(name for name, _ in model.module.named_parameters())
    # Sorted, for a treatment just fitted and one read from disk to be the same.
    treated = tuple(sorted(treatment.touches)) or every
    if family != "noise elsewhere":
        return treated
    touched = set(treated)
    others = [b for b in model.layout.blocks() if not touched & set(model.layout.parameters(b))]
    count = min(len(others), model.layout.n_blocks - len(others))
    chosen = random.Random(seed).sample(others, count)
    return tuple(name for block in sorted(chosen) for name in model.layout.parameters(block))


def _make(family: str, dose: float, names: tuple[str, ...], treatment: Treatment) -> Mitigation:
    name = family.partition(" ")[0]
    details = treatment.about.details
    same = {key: details[key] for key in ("lr", "epochs", "batch") if key in details}
    recipe = same if name == "placebo" else {}
    made: Mitigation = registry.get("mitigation", name)(dose=dose, names=names, **recipe)
    return made


def by_family(plan: Sequence[Planned]) -> Iterator[tuple[str, list[Planned]]]:
    """The planned models of each family, in order."""
    for family in dict.fromkeys(p.family for p in plan):
        yield family, [p for p in plan if p.family == family]
