"""The control models of a verification: which families there are for a treatment, and how one is made.

None of them carries a signal about the attribute's direction. Each control defines what it does and where its
doses begin (`evenhand.controls`); a study makes models of every installed control that suits the treatment.
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
from evenhand.studies.control import SHAM
from evenhand.studies.matching import LOOKS
from evenhand.studies.options import Extent
from evenhand.studies.training_data import usable

if TYPE_CHECKING:
    from evenhand.treatments import Treatment


@dataclass
class Recipe:
    """One family of control models for a treatment: `control` makes them, on the treatment's `examples`.

    The last fit is kept: a model is applied for its size and for its measurements, and where the damage is
    linear in the dose one fit gives all doses of a seed.
    """

    family: str
    control: Control
    treatment: Treatment = field(repr=False)
    examples: Sequence[Any] = field(repr=False)
    _fit: tuple[tuple[float, int], Treatment] | None = field(default=None, repr=False)

    def identity(self, model: OpenModel, dose: float, seed: int) -> tuple[object, ...]:
        """Everything that determines the damage, for the key of its cells."""
        spec = registry.spec_of(self.family, self.control.beside(self.treatment, dose))
        return spec, dose, seed, self.names(model, seed), self.treatment.about.method

    def names(self, model: OpenModel, seed: int) -> tuple[str, ...]:
        """The parameters that a model of the family damages."""
        return self.control.parameters(model, self.treatment, seed=seed)

    @property
    def by_recipe(self) -> bool:
        """Whether its models are made as the treatment was, so that there is no dose to choose."""
        from evenhand.treatments import scalable

        return self.control.ladder.scaled and self.family == SHAM and not scalable(self.treatment)

    def made(self, model: OpenModel, dose: float, seed: int) -> Treatment:
        """The damage at that dose.

        Raises:
            BadModel, NoEffect: as for `Control.damage`.
        """
        from evenhand.treatments import scalable, scaled

        fitted = 1.0 if self.control.ladder.scaled else dose
        if self._fit is None or self._fit[0] != (fitted, seed):
            self._fit = None  # its weights make room for those of the next
            self._fit = (fitted, seed), self._damage(model, fitted, seed)
        found = self._fit[1]
        return scaled(found, model, dose) if dose != fitted and scalable(found) else found

    def measured(self) -> None:
        """Let go of the fit of a model that was measured, unless it gives other doses as well."""
        if not self.control.ladder.scaled:
            self._fit = None

    def _damage(self, model: OpenModel, dose: float, seed: int) -> Treatment:
        made = self.control.beside(self.treatment, dose)
        return made.damage(model, self.treatment, dose, examples=self.examples, seed=seed)


def installed() -> Mapping[str, Control]:
    """Every control by the name of its family, in the order of the families' letters."""
    made = {name.replace("_", " "): registry.create("control", name) for name in registry.names("control")}
    return dict(sorted(made.items(), key=lambda item: (item[1].ladder.letter, item[0])))


def recipes(
    model: OpenModel,
    treatment: Treatment,
    extent: Extent,
    examples: Sequence[TrainingExample],
    *,
    seed: int = 0,
) -> tuple[tuple[Recipe, ...], tuple[str, ...]]:
    """The families for a treatment, in order, and one sentence for each that cannot be made.

    A treatment that changes weights is matched by damage to the same parameters; a treatment that changes
    none, by damage to all. Without a sham the further families are made as well, for then three are needed.
    """
    found, absent = [], []
    shammed = True
    for family, control in _asked(extent).items():
        if control.ladder.extra and extent != "full" and shammed:
            continue
        why = _why_not(control, model, treatment, examples, seed)
        if why:
            absent.append(f"{absent_of(family)}: {why}")
            shammed = shammed and family != SHAM
        else:
            found.append(Recipe(family, control, treatment, examples))
    return tuple(found), tuple(absent)


def absent_of(family: str) -> str:
    """How the sentence begins that says why a family has no models."""
    return f"There is no control {family}"


def _why_not(
    control: Control,
    model: OpenModel,
    treatment: Treatment,
    examples: Sequence[TrainingExample],
    seed: int,
) -> str:
    """Why no model of a control can be made, as the end of a sentence; empty where one can."""
    if not control.needs <= model.can:
        return "the model does not give what it needs."
    if not usable(control, examples):
        return "it cannot be fitted on what the treatment was fitted on."
    said: str = getattr(control, "why_not", lambda treatment: "")(treatment)
    if said:
        return said
    if not control.parameters(model, treatment, seed=seed + 1):
        return "the treatment leaves no parameter for it."
    return ""


def _asked(extent: Extent) -> Mapping[str, Control]:
    return {} if extent == "none" else installed()


def check(model: OpenModel, extent: Extent, examples: Sequence[TrainingExample]) -> None:
    """Refuse a model in which the controls of that extent cannot choose what to damage.

    Controls that cannot be fitted on `examples`, or on this model, are left out of a study; see `usable`.

    Raises:
        BadModel: its blocks cannot be found.
    """
    for control in _asked(extent).values():
        if control.needs <= model.can and usable(control, examples):
            _refuse(control, model, examples)


def _refuse(control: Control, model: OpenModel, examples: Sequence[TrainingExample]) -> None:
    try:
        refuse(control, model, examples)
    except BadModel as error:
        mend = f"{error.mend} Or do without control models: --control none."
        raise BadModel(error.what, mend=mend) from None


def looks(extent: Extent) -> tuple[int, ...]:
    """How many models each family has at each look at what they show."""
    numbers = tuple(number for number, _ in LOOKS)
    return {"none": (), "reduced": numbers[:1]}.get(extent, numbers)


@dataclass(frozen=True, slots=True)
class Asked:
    """How many control models are asked for, and whether there is a sham among them."""

    extent: Extent
    shammed: bool = True


def counts(extent: Extent, *, shammed: bool = True) -> dict[str, tuple[int, int]]:
    """How many control models of each family a verification makes, at the least and at the most.

    Without a sham (`shammed`), the families that only a full control has are made as well.
    """
    asked = looks(extent)
    return {
        family: (asked[0], asked[-1])
        for family, control in _asked(extent).items()
        if (shammed or family != SHAM) and (extent == "full" or not (control.ladder.extra and shammed))
    }
