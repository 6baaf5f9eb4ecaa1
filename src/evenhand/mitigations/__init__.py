"""Mitigations: reduce it, and give me the artefact. One file each, found by walking this folder.

``Model -> Treatment -> Model`` covers every mitigation with one shape; `needs <= model.can` decides what
works where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from evenhand.records import Ability, Attribution, Kinds

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment


@runtime_checkable
class Mitigation(Protocol):
    """Fits a `Treatment` to a model from examples.

    `fit` leaves the model as it was. `sites` are the blocks that a locator chose, or None for a method
    that locates nothing. The same seed gives the same treatment. `fits_on` names the kinds of examples that
    `fit` can learn from, such as prompts that groups' terms may follow (`Example`); a study refuses other
    kinds before anything is fitted.

    A method that takes long may have an option ``resume``, a folder where the same fit goes on after a kill;
    a study fills in one of its own where it is empty, and when the treatment is saved it removes what the
    method wrote there with `evenhand.folders.replace_folder` as a ``checkpoint``.
    """

    needs: frozenset[Ability]
    wants_sites: bool
    fits_on: Kinds

    def fit(
        self, model: Model, examples: Sequence[Any], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Learn the treatment.

        Raises:
            BadModel: the model lacks something that `needs` names.
            NoEffect: the fitted treatment changes nothing.
        """
        ...
