"""Random blocks: the control that any other locator has to beat."""

from __future__ import annotations

import random as chance
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evenhand.locators._probing import site_scores
from evenhand.models import require
from evenhand.records import Ability, Attribution, Example, Kinds

if TYPE_CHECKING:
    from evenhand.locators import Outcome
    from evenhand.models import OpenModel


@dataclass(frozen=True)
class Random:
    """Score every block with an independent uniform number."""

    specific: ClassVar[bool] = False
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.WEIGHTS})
    fits_on: ClassVar[Kinds] = (Example,)

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None = None, *, seed: int
    ) -> Attribution:
        """Uniform scores under `seed`; prompts and outcome are not looked at.

        Raises:
            BadModel: the model has no blocks in hand.
        """
        require(model, self.needs, of="this locator", instead="--with prompt")
        generator = chance.Random(seed)
        blocks = model.layout.blocks()
        return Attribution(
            locator="random",
            specific=self.specific,
            scores=site_scores(blocks, [generator.random() for _ in blocks]),
            reading="Chance alone: a control for locators, not a finding.",
            claims=False,
        )


component = Random
