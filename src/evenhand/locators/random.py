"""Random blocks: the baseline for every other locator."""

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
    from evenhand.models.stage import Stage


@dataclass(frozen=True)
class Random:
    """Score every block with an independent uniform number."""

    specific: ClassVar[bool] = False
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.WEIGHTS})
    fits_on: ClassVar[Kinds] = (Example,)

    def stages(self, model: OpenModel, probes: Sequence[Example]) -> tuple[Stage, ...]:
        """Nothing: the model is not run."""
        return ()

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None = None, *, seed: int
    ) -> Attribution:
        """Uniform scores drawn with `seed`; prompts and outcome are not used.

        Raises:
            BadModel: the model gives no access to its blocks.
        """
        require(model, self.needs, of="this locator", instead="--with prompt")
        generator = chance.Random(seed)
        blocks = model.layout.blocks()
        return Attribution(
            locator="random",
            specific=self.specific,
            scores=site_scores(blocks, [generator.random() for _ in blocks]),
            reading="Random numbers: a baseline for locators, not a finding.",
            claims=False,
        )


component = Random
