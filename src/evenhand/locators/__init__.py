"""Locators: which blocks carry it? One file each, found by walking this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from evenhand.records import Ability, Attribution, Example

if TYPE_CHECKING:
    from evenhand.models import OpenModel

# Group probabilities [N, k] (a torch tensor, differentiable) to a scalar: what a locator explains.
Outcome = Callable[[Any], Any]


@runtime_checkable
class Locator(Protocol):
    """Scores the blocks of a model.

    `specific` says whether the score depends on the attribute at all. `outcome` is what a specific
    locator explains (None: the mean normalised gap between groups); a non-specific one
    ignores it. `seed` decides every random choice.
    """

    specific: bool
    needs: frozenset[Ability]

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None, *, seed: int
    ) -> Attribution:
        """Score every block of `model` on the prompts of `probes`."""
        ...
