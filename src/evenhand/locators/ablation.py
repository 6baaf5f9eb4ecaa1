"""Ablation: how much of the gap disappears when a block's contribution is removed.

A block adds a vector to the residual stream: output minus input. Where the model predicts the group's
term, that vector is replaced by its mean over all probes (mean ablation: the constant part of the block's
contribution stays, the part specific to *this* prompt is removed), or by zero. The score is the fall of the
outcome,

    score_i = outcome(model) - outcome(model with block i ablated)

so it is in the outcome's own unit, specific to the attribute, and may be negative. A masked model predicts
the term at its masks. A block of an encoder is ablated at every token that it reads, because the decoder
reads them all. With ``part=mlp`` or ``part=head`` the same is done to each block's MLP, or to each head of
its attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.locators._parts import Part, without_parts
from evenhand.locators._probing import (
    FLOOR,
    Contributions,
    ProbedBatch,
    contributions,
    normalised_gap,
    require_hidden,
    site_scores,
)
from evenhand.locators._tails import Tails, tails_of
from evenhand.models.rows import require_left_to_right
from evenhand.progress import task
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.locators import Outcome
    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.scoring.blocks import Handed
    from evenhand.scoring.tails import Tail


READING = "The fall of the mean normalised gap without the {part}'s prompt-specific contribution."


@dataclass(frozen=True)
class Ablation:
    """Rank blocks by the fall of the outcome without their prompt-specific contribution.

    Attributes:
        replace: put the block's ``mean`` contribution in its place, or ``zero``.
        part: of what: every ``block``, its ``mlp`` (site ``block.2.mlp``), or each ``head`` of its attention
            (site ``block.2.head.5``).
    """

    replace: Literal["mean", "zero"] = "mean"
    part: Part = "block"

    specific: ClassVar[bool] = True
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.HIDDEN})
    fits_on: ClassVar[Kinds] = (Example,)

    def stages(self, model: OpenModel, probes: Sequence[Example]) -> tuple[Stage, ...]:
        """What it takes: of a tree what every block receives and gives; all early tokens stay."""
        from evenhand.models.stage import ENDS, PROBED, Stage

        tails = self.part == "block"
        return (
            Stage(
                changed=0,
                backward=False,
                rows=PROBED // ENDS,
                tokens=PROBED,
                length=PROBED,
                tables=2,
                states=1,
                tails=tails,
            ),
        )

    def check(self, model: Model | None, examples: Sequence[Example]) -> None:
        """Refuse a model that reads in both directions where a part of its blocks is asked for.

        Raises:
            BadModel: it does, or it gives no hidden states.
        """
        if model is not None and self.part != "block":
            require_left_to_right(require_hidden(model, self.needs), f"ablation:part={self.part}")

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None = None, *, seed: int
    ) -> Attribution:
        """Ablate each block in turn. The default outcome is the mean normalised gap; nothing is random.

        Raises:
            BadModel: the model gives no hidden states, lacks such parts, or the terms cannot be scored.
        """
        opened = require_hidden(model, self.needs)
        explain = outcome or normalised_gap
        keep_mean = self.replace == "mean"
        tails = tails_of(opened, probes) if self.part == "block" else None
        self.check(opened, probes)
        if self.part != "block":
            base, left = without_parts(opened, probes, explain, self.part, keep_mean=keep_mean)
        elif tails is None:
            base, left = _whole_rows(opened, probes, explain, keep_mean=keep_mean)
        else:
            base, left = _by_tails(opened, tails, explain, keep_mean=keep_mean)
        scores = [base - value for value in left.values()]
        return Attribution(
            locator=spec_of("ablation", self),
            specific=self.specific,
            scores=site_scores(tuple(left), scores),
            reading=READING.format(part=self.part),
            claims=base >= FLOOR and max(scores) > 0,
            details={"outcome": base, "prompts": len(probes)},
        )


def _by_tails(
    model: OpenModel, tails: Tails, explain: Any, *, keep_mean: bool
) -> tuple[float, dict[str, float]]:
    """The outcome, and the outcome without each block: what lies below a block is not run again for it."""
    import torch

    from evenhand.scoring.blocks import Handed, given_below
    from evenhand.scoring.forward import evaluating

    blocks, every = model.layout.as_blocks(), model.layout.blocks()
    means, base = _means(model, tails)
    left: dict[str, list[Tensor]] = {site: [] for site in every}
    with (
        torch.no_grad(),
        evaluating(model.module),
        task("locating by ablation", len(tails) * len(every), unit="pass") as advance,
    ):
        for tail in tails:
            passed = _passed(model, tail)
            for depth, site in enumerate(every, start=1):
                given, handed = passed.seen[site]
                state = handed.state.clone()
                state[passed.places] = given[passed.places] + means[site].to(state) * keep_mean
                with given_below(blocks, depth, Handed(state, handed.size)):
                    left[site].append(tail.prompts.outcomes(tail.chosen, tail.run).log_p.exp())
                advance(1)
    return float(explain(base)), {site: float(explain(torch.cat(parts))) for site, parts in left.items()}


@dataclass(frozen=True)
class _Passed:
    """One pass over a tail: probabilities [N, k], and each block's input and what it handed on."""

    probabilities: Tensor
    places: tuple[Tensor, Tensor]
    seen: dict[str, tuple[Tensor, Handed]]


def _passed(model: OpenModel, tail: Tail) -> _Passed:
    from evenhand.scoring.blocks import seen_by

    with seen_by(model.layout.as_blocks()) as seen:
        answer = tail.prompts.outcomes(tail.chosen, tail.run)
    assert answer.places is not None  # a single pass has a single layout
    sites = dict(zip(model.layout.blocks(), seen, strict=True))
    return _Passed(answer.log_p.exp(), answer.places, sites)


def _means(model: OpenModel, tails: Tails) -> tuple[dict[str, Tensor], Tensor]:
    """Each block's mean contribution [width] where terms are predicted, and the probabilities [N, k]."""
    import torch

    from evenhand.scoring.forward import evaluating

    sums = dict.fromkeys(model.layout.blocks(), torch.zeros(()))
    values: list[Tensor] = []
    count = 0
    with torch.no_grad(), evaluating(model.module), task("running the prompts", len(tails)) as advance:
        for tail in tails:
            passed = _passed(model, tail)
            values.append(passed.probabilities)
            count += len(passed.places[0])
            for site, (given, handed) in passed.seen.items():
                sums[site] = sums[site] + (handed.state - given)[passed.places].double().sum(0)
            advance(1)
    return {site: total / count for site, total in sums.items()}, torch.cat(values)


def _whole_rows(
    model: OpenModel, probes: Sequence[Example], explain: Any, *, keep_mean: bool
) -> tuple[float, dict[str, float]]:
    """The same with whole rows through all blocks."""
    whole = contributions(model, probes)
    left: dict[str, float] = {}
    with task("locating by ablation", len(whole.mean), unit="block") as advance:
        for site in whole.mean:
            left[site] = float(explain(_without(model, whole, site, keep_mean=keep_mean)))
            advance(1)
    return float(explain(whole.probabilities)), left


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
                places = batch.at(model, site)  # of states [batch, length, width], n places [n, width]
                changed = output.clone()
                changed[places] = given[places] + whole.mean[site].to(output) * keep_mean
                return changed

            with patch(model, site, ablated):
                found.append(outcomes(model, batch.probes).log_p.exp())
    return torch.cat(found)


component = Ablation
