"""Controls: damage to a model that has no signal about the attribute. One file each, found in this folder.

A study compares the treated model with models that were damaged in this way, at several doses and seeds, to
estimate what an equal loss of capability does to a bias score by itself (the capability-matched control).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from evenhand.records import Ability, Kinds

if TYPE_CHECKING:
    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Ladder:
    """The doses of a family of control models.

    Attributes:
        letter: the family's letter (a, b, c, ...), by which families are ordered where they are listed.
        start: the first dose that a study tries, below that of an equal change for most treatments.
        lowest, highest: the smallest and the largest dose that mean anything; `highest` may be infinite.
        extra: whether the family is only made where every family is asked for (``--control full``), or where
            the treatment has no sham.
        scaled: whether the damage is linear in the dose, ``base + dose * (damage at 1 - base)``: then one
            fit a seed, at dose 1, gives all doses (`evenhand.treatments.scaled`).
    """

    letter: str
    start: float = 1.0
    lowest: float = 0.01
    highest: float = math.inf
    extra: bool = False
    scaled: bool = False


@runtime_checkable
class Control(Protocol):
    """Damages a model to match a treatment. A frozen dataclass; its fields are the options of its spec.

    The name of its family is the control's name, with spaces for underscores. Used as a mitigation (``--with
    noise:dose=0.5``) it damages the model at its own `dose`, as beside a treatment that touches the located
    block if it `wants_sites`, and as beside one that touches nothing otherwise.

    A control may have a method ``check(model, examples)``, as a mitigation may: see
    `evenhand.mitigations.refuse`.

    `fits_on` names the kinds of examples that it can use; the family is left out where the treatment was
    fitted on others. A `dose` is above 0, and a larger dose is more damage.
    """

    ladder: Ladder
    needs: frozenset[Ability]
    wants_sites: bool
    fits_on: Kinds

    @property
    def dose(self) -> float:
        """The dose of a control that is used as a mitigation."""
        ...

    def beside(self, treatment: Treatment, dose: float) -> Self:
        """The same control at `dose`, with the training settings of `treatment`, if it has any."""
        ...

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The names of the parameters that it damages; empty where the treatment leaves none to damage.

        They follow from ``treatment.touches``; a treatment that touches no parameter counts as one that
        touches all of them.
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
        """The damage as a treatment with a checked effect; the model keeps its weights.

        `examples` are those that `treatment` was fitted on. The same seed and dose give the same damage.

        Raises:
            BadModel: the model lacks something that `needs` names, there is nothing to damage, or the dose is
                too high to give a usable model.
            NoEffect: no answer changed.
        """
        ...
