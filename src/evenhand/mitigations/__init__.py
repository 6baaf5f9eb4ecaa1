"""Mitigations: reduce it, and give me the artefact. One file each, found by walking this folder.

``Model -> Treatment -> Model`` covers every mitigation with one shape; `needs <= model.can` decides what
works where. A component with ``purpose = "control"`` carries no signal about the attribute: studies use
it to ask what an equal loss of capability does by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from evenhand.records import Ability, Attribution, Example, PersonExample

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment


@runtime_checkable
class Mitigation(Protocol):
    """Fits a `Treatment` to a model from examples.

    `fit` leaves the model as it was. `sites` are the blocks that a locator chose, or None for a method
    that locates nothing. The same seed gives the same treatment. `fits_on` names the kind of examples that
    `fit` wants: prompts that groups' terms may follow (`Example`), or people to decide on (`PersonExample`);
    a study refuses the other kind before anything is fitted.

    A method that takes long may have an option ``resume``, a folder where the same fit goes on after a kill;
    a study fills in one of its own where it is empty, and when the treatment is saved it removes what the
    method wrote there with `evenhand.folders.replace_folder` as a ``checkpoint``.
    """

    needs: frozenset[Ability]
    purpose: Literal["mitigation", "control"]
    wants_sites: bool
    fits_on: tuple[type[Example] | type[PersonExample], ...]

    def fit(
        self, model: Model, examples: Sequence[Any], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Learn the treatment.

        Raises:
            BadModel: the model lacks something that `needs` names.
            NoEffect: the fitted treatment changes nothing.
        """
        ...
