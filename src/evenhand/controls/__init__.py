"""Controls: damage without a signal about the attribute. One file each, found by walking this folder.

A study sets the treated model beside models that such damage made, at several doses and seeds, and asks what
an equal loss of capability does to a bias score by itself (the capability-matched control).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from evenhand.records import Ability, Kinds

if TYPE_CHECKING:
    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Ladder:
    """At which doses, and how often at each, a study makes the control models of one family.

    Attributes:
        letter: the family's letter in the specification (a, b, c): the order in which families are shown.
        full: doses above 0 from hardly any damage to the loss of most capability, spaced geometrically.
        reduced: fewer of them, for a quick look; empty leaves the family out of a reduced control.
        seeds, reduced_seeds: models a dose.
    """

    letter: str
    full: tuple[float, ...]
    reduced: tuple[float, ...] = ()
    seeds: int = 5
    reduced_seeds: int = 2

    def steps(self, *, reduced: bool) -> tuple[tuple[float, int], ...]:
        """Every model to make, as its dose and its number (from 1) among the models of that dose."""
        doses, seeds = (self.reduced, self.reduced_seeds) if reduced else (self.full, self.seeds)
        return tuple((dose, number) for dose in doses for number in range(1, seeds + 1))


@runtime_checkable
class Control(Protocol):
    """Damages a model beside a treatment. A frozen dataclass, whose options name a control handed in alone.

    The name of its family is its own, with spaces for underscores. Handed in as a mitigation (``--with
    noise:dose=0.5``) it damages the model at its own `dose`, beside a treatment that touches the located
    block if it `wants_sites`, and otherwise nothing.

    `fits_on` names the kinds of examples that it can use; the family is left out where the treatment was
    fitted on others. A `dose` is above 0, and more of it is more damage.
    """

    ladder: Ladder
    needs: frozenset[Ability]
    wants_sites: bool
    fits_on: Kinds

    @property
    def dose(self) -> float:
        """The dose of a control that is handed in alone."""
        ...

    def beside(self, treatment: Treatment, dose: float) -> Self:
        """The same control at `dose` with the recipe of `treatment`, where it has one to take over."""
        ...

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The names of what it damages; empty where the treatment leaves nothing to damage.

        What it damages follows from ``treatment.touches``; a treatment that touches no parameter counts as
        one of all of them.
        """
        ...

    def damage(
        self,
        model: OpenModel,
        treatment: Treatment,
        dose: float,
        *,
        examples: Sequence[Any],
        seed: int,
    ) -> Treatment:
        """The damage as a proven treatment of its own; the model keeps its weights.

        `examples` are those that `treatment` was fitted on. The same seed gives the same damage.

        Raises:
            BadModel: the model lacks something that `needs` names, there is nothing to damage, or the dose is
                too high for a model to come out.
            NoEffect: no answer changed.
        """
        ...
