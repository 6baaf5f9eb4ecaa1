"""Ablation: how much of the gap disappears when a block's contribution is removed.

A block adds a vector to the residual stream: output minus input. Where the model predicts the group's
term, that vector is replaced by its mean over all probes (mean ablation: the constant part of the block's
contribution stays, the part specific to *this* prompt is removed), or by zero. The score is the fall of the
outcome,

    score_i = outcome(model) - outcome(model with block i ablated)

so it is in the outcome's own unit, specific to the attribute, and may be negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from evenhand.locators._probing import (
    FLOOR,
    Contributions,
    ProbedBatch,
    contributions,
    normalised_gap,
    require_hidden,
    site_scores,
)
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.locators import Outcome
    from evenhand.models import OpenModel


@dataclass(frozen=True)
class Ablation:
    """Rank blocks by the fall of the outcome without their prompt-specific contribution.

    Attributes:
        replace: put the block's ``mean`` contribution in its place, or ``zero``.
    """

    replace: Literal["mean", "zero"] = "mean"

    specific: ClassVar[bool] = True
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.HIDDEN})
    fits_on: ClassVar[Kinds] = (Example,)

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None = None, *, seed: int
    ) -> Attribution:
        """Ablate each block in turn. The default outcome is the mean normalised gap; nothing is random.

        Raises:
            BadModel: the model gives no hidden states, or the terms cannot be scored.
        """
        opened = require_hidden(model, self.needs)
        explain = outcome or normalised_gap
        whole = contributions(opened, probes)
        base = float(explain(whole.probabilities))
        scores = [
            base - float(explain(_without(opened, whole, site, keep_mean=self.replace == "mean")))
            for site in whole.mean
        ]
        return Attribution(
            locator=spec_of("ablation", self),
            specific=self.specific,
            scores=site_scores(tuple(whole.mean), scores),
            reading="The fall of the mean normalised gap without the block's prompt-specific contribution.",
            claims=base >= FLOOR and max(scores) > 0,
            details={"outcome": base, "prompts": len(probes)},
        )


def _without(model: OpenModel, whole: Contributions, site: str, *, keep_mean: bool) -> Tensor:
    """Group probabilities [N, k] when the block adds a constant wherever terms are predicted."""
    import torch

    from evenhand.hooks import patch
    from evenhand.scoring.forward import evaluating
    from evenhand.scoring.terms import outcomes

    found = []
    with torch.no_grad(), evaluating(model.module):
        for batch in whole.batches:

            def ablated(output: Tensor, given: Tensor, batch: ProbedBatch = batch) -> Tensor:
                places = batch.rows, batch.positions  # of states [batch, length, width], n places [n, width]
                changed = output.clone()
                changed[places] = given[places] + whole.mean[site].to(output) * keep_mean
                return changed

            with patch(model, site, ablated):
                found.append(outcomes(model, batch.probes).log_p.exp())
    return torch.cat(found)


component = Ablation
