"""Gradient: attribution patching, the first-order approximation of mean ablation by one backward pass.

With d_i(p) the vector that block i adds to the residual stream where prompt p predicts its term, and
g_i(p) the gradient of the outcome there,

    score_i = sum_p  g_i(p) . (d_i(p) - mean_p d_i)

is, to first order, the fall of the outcome if the block's contribution were the same on every prompt (Nanda
2023; Syed et al. 2023). Specific to the attribute; exact only if the outcome is linear in the block's output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

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

if TYPE_CHECKING:
    from evenhand.locators import Outcome
    from evenhand.models import OpenModel


@dataclass(frozen=True)
class Gradient:
    """Rank blocks by the predicted fall of the outcome without their prompt-specific contribution."""

    specific: ClassVar[bool] = True
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.HIDDEN, Ability.GRADIENTS})
    fits_on: ClassVar[Kinds] = (Example,)

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None = None, *, seed: int
    ) -> Attribution:
        """One forward pass for the means, one backward pass for the scores; nothing is random.

        The outcome (default: the mean normalised gap) must be a mean over prompts.

        Raises:
            BadModel: the model gives no gradients, or the terms cannot be scored.
        """
        opened = require_hidden(model, self.needs)
        explain = outcome or normalised_gap
        whole = contributions(opened, probes)
        base = float(explain(whole.probabilities))
        scores = dict.fromkeys(whole.mean, 0.0)
        for batch in whole.batches:
            share = len(batch.probes) / len(probes)
            for site, value in _batch_scores(opened, whole, batch, explain).items():
                scores[site] += share * value
        return Attribution(
            locator="gradient",
            specific=self.specific,
            scores=site_scores(tuple(scores), tuple(scores.values())),
            reading="First-order estimate: the gap's fall without the block's prompt-specific contribution.",
            claims=base >= FLOOR and max(scores.values()) > 0,
            details={"outcome": base, "prompts": len(probes)},
        )


def _batch_scores(
    model: OpenModel, whole: Contributions, batch: ProbedBatch, explain: Any
) -> dict[str, float]:
    import torch

    from evenhand.hooks import observe, patch
    from evenhand.scoring.forward import evaluating
    from evenhand.scoring.terms import outcomes

    blocks = tuple(whole.mean)
    places = batch.rows, batch.positions
    with (
        torch.enable_grad(),
        evaluating(model.module),
        patch(model, "embeddings", lambda output, _: output.detach().requires_grad_()),
        observe(model, blocks) as seen,
    ):
        value = explain(outcomes(model, batch.probes).log_p.exp())
        gradients = torch.autograd.grad(value, [seen[site][1] for site in blocks])  # [batch, length, width]
    scores = {}
    for site, gradient in zip(blocks, gradients, strict=True):
        given, output = seen[site]  # [batch, length, width]; at the n places [n, width]
        own = (output - given)[places].detach().double() - whole.mean[site]
        scores[site] = float((gradient[places].double() * own).sum())
    return scores


component = Gradient
