"""Locators: methods that score a model's blocks by their part in a bias. Found by walking this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from evenhand.records import Ability, Attribution, Kinds

if TYPE_CHECKING:
    from evenhand.models import OpenModel

# Group probabilities [N, k] (a torch tensor, differentiable) to a scalar: what a locator explains.
Outcome = Callable[[Any], Any]


@runtime_checkable
class Locator(Protocol):
    """Scores the blocks of a model.

    `specific` tells whether the score depends on the attribute at all. `outcome` is the quantity that a
    specific locator explains (None: the mean normalised gap between groups); a non-specific one ignores it.
    `seed` determines every random choice. `fits_on` names the kinds of examples that it can use as probes; a
    model that is treated on other examples is treated without a location.

    A locator should say what it takes of the memory by ``stages(model, examples)``, and may refuse a model
    before anything is measured by ``check(model, examples)``, as a mitigation does.
    """

    specific: bool
    needs: frozenset[Ability]
    fits_on: Kinds

    def locate(
        self, model: OpenModel, probes: Sequence[Any], outcome: Outcome | None, *, seed: int
    ) -> Attribution:
        """Score every block of `model` on `probes`, examples of the kinds in `fits_on`."""
        ...
