"""Gradient: attribution patching, the first-order approximation of mean ablation by one backward pass.

With d_i(p) the vector that block i adds to the residual stream where prompt p predicts its term, and
g_i(p) the gradient of the outcome there,

    score_i = sum_p  g_i(p) . (d_i(p) - mean_p d_i)

is, to first order, the fall of the outcome if the block's contribution were the same on every prompt (Nanda
2023; Syed et al. 2023). Specific to the attribute; exact only if the outcome is linear in the block's output.
The places are those of `ablation`: a term's masks, and all tokens that an encoder reads.
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
from evenhand.locators._tails import Tails, distinct_places, tails_of
from evenhand.progress import task
from evenhand.records import Ability, Attribution, Example, Kinds

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.locators import Outcome
    from evenhand.models import OpenModel
    from evenhand.models.stage import Stage
    from evenhand.scoring.tails import Tail


@dataclass(frozen=True)
class Gradient:
    """Rank blocks by the predicted fall of the outcome without their prompt-specific contribution."""

    specific: ClassVar[bool] = True
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.HIDDEN, Ability.GRADIENTS})
    fits_on: ClassVar[Kinds] = (Example,)

    def stages(self, model: OpenModel, probes: Sequence[Example]) -> tuple[Stage, ...]:
        """What it takes: of a tree what every block adds, and its gradients; all early tokens stay."""
        from evenhand.models.stage import ENDS, PROBED, Stage

        return (Stage(changed=0, rows=PROBED // ENDS, tokens=PROBED, length=PROBED, states=2, tails=True),)

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
        tails = tails_of(opened, probes)
        base, scores = (
            _whole_rows(opened, probes, explain) if tails is None else _by_tails(opened, tails, explain)
        )
        return Attribution(
            locator="gradient",
            specific=self.specific,
            scores=site_scores(tuple(scores), tuple(scores.values())),
            reading="First-order estimate: the gap's fall without the block's prompt-specific contribution.",
            claims=base >= FLOOR and max(scores.values()) > 0,
            details={"outcome": base, "prompts": len(probes)},
        )


def _by_tails(model: OpenModel, tails: Tails, explain: Any) -> tuple[float, dict[str, float]]:
    """The outcome and every block's score, in one pass.

    With the sums S = sum_p g_i(p) . d_i(p) and G = sum_p g_i(p), the score is S - G . mean_p d_i.
    """
    import torch

    blocks = model.layout.blocks()
    values: list[Tensor] = []
    product, slope, own, count = dict.fromkeys(blocks, 0.0), _nothing(blocks), _nothing(blocks), 0
    with task("locating by gradient", len(tails), unit="batch") as advance:
        for tail in tails:
            found = _run(model, tail, explain)
            values.append(found.probabilities)
            count += len(found.places[0])
            share = len(tail.chosen) / len(tail.prompts)
            once = distinct_places(found.places)
            for site in blocks:
                # [places, width]: with repeats for the mean, each place once for its gradient
                own[site] = own[site] + found.added[site][found.places].double().sum(0)
                gradient = share * found.gradients[site][once].double()
                slope[site] = slope[site] + gradient.sum(0)
                product[site] += float((gradient * found.added[site][once].double()).sum())
            advance(1)
    scores = {site: product[site] - float((slope[site] * own[site]).sum()) / count for site in blocks}
    return float(explain(torch.cat(values))), scores


def _nothing(blocks: Sequence[str]) -> dict[str, Tensor]:
    import torch

    return dict.fromkeys(blocks, torch.zeros(()))


@dataclass(frozen=True)
class _Passed:
    """One pass: probabilities [N, k]; what each block adds, and the outcome's gradient, at all tokens."""

    probabilities: Tensor
    places: tuple[Tensor, Tensor]
    added: dict[str, Tensor]
    gradients: dict[str, Tensor]


def _run(model: OpenModel, tail: Tail, explain: Any) -> _Passed:
    import torch

    from evenhand.hooks import observe, patch
    from evenhand.scoring.forward import evaluating

    blocks = model.layout.blocks()
    with (
        torch.enable_grad(),
        evaluating(model.module),
        patch(model, "embeddings", lambda output, _: output.detach().requires_grad_()),
        observe(model, blocks) as seen,
    ):
        answer = tail.prompts.outcomes(tail.chosen, tail.run)
        probabilities = answer.log_p.exp()
        gradients = torch.autograd.grad(explain(probabilities), [seen[site][1] for site in blocks])
    assert answer.places is not None  # a single pass has a single layout
    added = {site: (seen[site][1] - seen[site][0]).detach() for site in blocks}
    return _Passed(probabilities.detach(), answer.places, added, dict(zip(blocks, gradients, strict=True)))


def _whole_rows(model: OpenModel, probes: Sequence[Example], explain: Any) -> tuple[float, dict[str, float]]:
    """The same with whole rows: one pass for the means, one with gradients."""
    whole = contributions(model, probes)
    scores = dict.fromkeys(whole.mean, 0.0)
    with task("locating by gradient", len(whole.batches), unit="batch") as advance:
        for batch in whole.batches:
            share = len(batch.probes) / len(probes)
            for site, value in _batch_scores(model, whole, batch, explain).items():
                scores[site] += share * value
            advance(1)
    return float(explain(whole.probabilities)), scores


def _batch_scores(
    model: OpenModel, whole: Contributions, batch: ProbedBatch, explain: Any
) -> dict[str, float]:
    import torch

    from evenhand.hooks import observe, patch
    from evenhand.scoring.forward import evaluating
    from evenhand.scoring.terms import outcomes

    blocks = tuple(whole.mean)
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
        places = distinct_places(batch.at(model, site))
        own = (output - given)[places].detach().double() - whole.mean[site]
        scores[site] = float((gradient[places].double() * own).sum())
    return scores


component = Gradient
