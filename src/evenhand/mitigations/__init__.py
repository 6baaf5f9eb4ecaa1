"""Mitigations: methods that reduce a bias and return a treatment. Found by walking this folder.

A mitigation makes a treatment from a model, which, applied, gives the treated model. It works on every model
whose abilities (`can`) include all that it `needs`.
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

    `fit` leaves the model unchanged. `sites` are the blocks that a locator chose, or None for a method
    that needs no location. The same seed gives the same treatment. `fits_on` names the kinds of examples that
    `fit` can learn from, such as prompts that groups' terms may follow (`Example`); a study refuses other
    kinds before anything is fitted.

    A slow method may have an option ``resume``, a folder from which the same fit continues after an
    interruption. Where it is empty, a study sets it to a folder of its own. The method writes there with
    `evenhand.folders.replace_folder`, of the kind ``checkpoint``; the study removes that once the treatment
    is saved.
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
