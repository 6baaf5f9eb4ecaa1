"""The method that ``--with`` names: a mitigation, or a control used as one to test the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand import registry
from evenhand.controls import Control
from evenhand.errors import UnknownName, UsageError
from evenhand.mitigations import Mitigation, refuse
from evenhand.outputs import check_output_folder
from evenhand.records import Attribution
from evenhand.training.stacking import JOINT, split, stacked

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.treatments import Treatment


def made_method(spec: str) -> Mitigation:
    """The mitigation or the control of that spec, after checking its folder for checkpoints if it names one.

    Of several specs, as in ``lftf + thresholds``, the stack of them.

    Raises:
        EvenhandError: no such mitigation, control or option, or a folder that cannot be written.
    """
    specs = split(spec)
    made: Mitigation = stacked([_made(one) for one in specs], [str(registry.parse(one)) for one in specs])
    return made


def check_locator(spec: str, locator: str | None) -> None:
    """Refuse a locator, which somebody chose, beside a method that takes no blocks; None is none.

    Raises:
        UsageError: it would be without effect.
        EvenhandError: as `made_method`.
    """
    if locator is not None and not made_method(spec).wants_sites:
        raise UsageError(
            f"The locator {locator} chooses blocks, and {spec} takes none: it would have no effect.",
            mend="Leave --locator away, or name a method that works in blocks, such as --with lftf.",
        )


def canonical(spec: str) -> str:
    """The text by which a record names the method of `spec`."""
    return JOINT.join(str(registry.parse(one)) for one in split(spec))


def _made(spec: str) -> Mitigation:
    parsed = registry.parse(spec)
    mitigations, controls = registry.names("mitigation"), registry.names("control")
    if parsed.name not in {*mitigations, *controls}:
        raise UnknownName("mitigation", parsed.name, {*mitigations, *controls}, lister="evenhand ls")
    if parsed.name not in mitigations:
        made: Mitigation = ControlAlone(registry.create("control", parsed))
        return made
    made = registry.create("mitigation", parsed)
    if resume := getattr(made, "resume", ""):
        check_output_folder(Path(resume).expanduser())
    return made


class ControlAlone:
    """A control as a mitigation: the damage that it does by itself, at the dose of its own options."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.needs = control.needs
        self.wants_sites = control.wants_sites
        self.fits_on = control.fits_on

    def __repr__(self) -> str:
        """The representation of the control: studies use it in their keys."""
        return repr(self.control)

    def check(self, model: Model | None, examples: Sequence[Any]) -> None:
        """What the control itself refuses.

        Raises:
            EvenhandError: as for `evenhand.mitigations.refuse`.
        """
        refuse(self.control, model, examples)

    def fit(
        self, model: Model, examples: Sequence[Any], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """The damage as a treatment, matched to one that touches the located block and changes nothing.

        Raises:
            BadModel, NoEffect: as for `Control.damage`.
        """
        from evenhand.training.parameters import require_open

        opened = require_open(model, self.needs)
        beside = _unchanged(opened, sites if self.wants_sites else None, seed)
        return self.control.damage(opened, beside, self.control.dose, examples=examples, seed=seed)

    def sham(self, *, seed: int) -> None:
        """None: a control has no signal that could be drawn at random."""


def _unchanged(model: OpenModel, sites: Attribution | None, seed: int) -> Treatment:
    """A treatment that sets the first located block to the model's own weights; without one, an empty one."""
    from evenhand.training.parameters import chosen_blocks, parameter_names
    from evenhand.treatments import About
    from evenhand.treatments.weights import WeightTreatment

    names = () if sites is None else parameter_names(model, chosen_blocks(model, sites))
    weights = {name: model.module.get_parameter(name).detach().float() for name in names}
    return WeightTreatment(About("unchanged", model.spec.digest, seed), weights)
