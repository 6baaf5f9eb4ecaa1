"""The control models of the capability-matched control: which to make, at which doses and seeds.

None of them carries a signal about the attribute. Each control defines what it does and at which
doses (`evenhand.controls`); a study makes the models of every installed control.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evenhand import registry
from evenhand.controls import Control
from evenhand.errors import BadModel
from evenhand.mitigations import refuse
from evenhand.models import OpenModel
from evenhand.records import TrainingExample
from evenhand.studies.options import Extent
from evenhand.studies.training_data import usable

if TYPE_CHECKING:
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Planned:
    """One control model to be made: `control` is its recipe, `names` the parameters that it damages."""

    family: str
    dose: float
    seed: int
    control: Control
    names: tuple[str, ...]
    treatment: Treatment = field(repr=False)

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the damage, for the key of its cells."""
        return registry.spec_of(self.family, self.control), self.seed, self.names

    def made(self, model: OpenModel, examples: Sequence[Any]) -> Treatment:
        """The damage, fitted on the examples of the treatment that it is compared with.

        Raises:
            BadModel, NoEffect: as for `Control.damage`.
        """
        return self.control.damage(model, self.treatment, self.dose, examples=examples, seed=self.seed)


def installed() -> Mapping[str, Control]:
    """Every control by the name of its family, in the order of the families' letters."""
    made = {name.replace("_", " "): registry.create("control", name) for name in registry.names("control")}
    return dict(sorted(made.items(), key=lambda item: (item[1].ladder.letter, item[0])))


def planned(model: OpenModel, treatment: Treatment, extent: Extent, seed: int) -> tuple[Planned, ...]:
    """The control models for a treatment, family by family, from the smallest dose to the largest.

    A treatment that changes weights is matched by damage to the same parameters; a treatment that changes
    none, by damage to all. If a treatment changes every block, there is no family of noise elsewhere.
    """
    if extent == "none":
        return ()
    return tuple(
        Planned(family, dose, seed + number, control.beside(treatment, dose), names, treatment)
        for family, control in installed().items()
        for dose, number in control.ladder.steps(reduced=extent == "reduced")
        if (names := control.parameters(model, treatment, seed=seed + number))
    )


def check(model: OpenModel, extent: Extent, examples: Sequence[TrainingExample]) -> None:
    """Refuse a model in which the controls of that extent cannot choose what to damage.

    Controls that cannot be fitted on `examples`, or on this model, are left out of a study; see `usable`.

    Raises:
        BadModel: its blocks cannot be found.
    """
    for family in counts(extent):
        control = installed()[family]
        if control.needs <= model.can and usable(control, examples):
            _refuse(control, model, examples)


def _refuse(control: Control, model: OpenModel, examples: Sequence[TrainingExample]) -> None:
    try:
        refuse(control, model, examples)
    except BadModel as error:
        mend = f"{error.mend} Or do without control models: --control none."
        raise BadModel(error.what, mend=mend) from None


def counts(extent: Extent) -> dict[str, int]:
    """How many control models of each family a verification makes at most."""
    if extent == "none":
        return {}
    found = {
        family: len(control.ladder.steps(reduced=extent == "reduced"))
        for family, control in installed().items()
    }
    return {family: number for family, number in found.items() if number}
