"""A control, not a mitigation: fine-tuning with a target that has no contrast between groups.

Same prompts, blocks, steps and batches as the treatment it stands beside, but the target keeps every
group's probability at the base model's own value, prompt by prompt, and deals the rest of the
distribution to shuffled tokens. What it does to a bias score is what such tuning does without any
debiasing signal (the capability-matched control, family a). The dose multiplies the learning rate.

For decisions the label words play the part of the groups' terms: after every twin's prompt each label word
keeps the probability that the base model gives it, so that neither the decisions nor the gap between twins is
asked to move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.mitigations._blocks import chosen_blocks, parameter_names, require_open
from evenhand.mitigations._numbers import check_numbers
from evenhand.records import Ability, Attribution, Example, Material, PersonExample
from evenhand.registry import spec_of

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Placebo:
    """Tune without a debiasing signal.

    Attributes:
        dose: multiplies the learning rate; above 0.
        blocks: block numbers joined by ``+``; empty means the located block, or all parameters without one.
        lr, epochs, batch: as in LFTF.
        names: parameter names, for studies that tune exactly what a treatment changed.
    """

    dose: float = 1.0
    blocks: str = ""
    lr: float | None = None
    epochs: int = 2
    batch: int = 32
    names: tuple[str, ...] = field(default=(), repr=False)

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    purpose: ClassVar[Literal["mitigation", "control"]] = "control"
    wants_sites: ClassVar[bool] = True
    fits_on: ClassVar[tuple[type[Example] | type[PersonExample], ...]] = (Example, PersonExample)

    def __post_init__(self) -> None:
        check_numbers("placebo", self, whole=("epochs", "batch"), positive=("dose",), from_zero=("lr",))

    def fit(
        self, model: Model, examples: Sequence[Material], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Train on the shuffled targets (people of part ``train`` only); the model keeps its weights.

        Raises:
            BadModel: no weights in hand, or the dose is so high that the loss is not finite.
            NoEffect: no answer changed.
        """
        from evenhand.training.finetune import Plan, Recipe, fit_weights, learning_rate

        opened = require_open(model, self.needs)
        trained = [prompt for e in examples if not e.keep for prompt in _prompts(e)]
        recipe = Recipe(self.lr, self.epochs, self.batch)
        dosed = Recipe(learning_rate(recipe, opened) * self.dose, self.epochs, self.batch)
        plan = Plan(spec_of("placebo", self), dosed, seed, details={"dose": self.dose})
        return fit_weights(opened, self._targets(opened, sites), trained, _shuffled(seed), plan)

    def _targets(self, model: OpenModel, sites: Attribution | None) -> tuple[str, ...]:
        if self.names:
            return self.names
        if self.blocks or sites is not None:
            return parameter_names(model, chosen_blocks(model, sites, blocks=self.blocks))
        return tuple(name for name, _ in model.module.named_parameters())


def _prompts(given: Material) -> list[Example]:
    """An example itself, or a person's twins as prompts that the label words may follow."""
    if isinstance(given, Example):
        return [given]
    if given.part != "train":
        return []
    words = tuple((label,) for label in given.labels)
    return [
        Example(f"{given.id}/{group}", given.cluster, context, given.labels, words)
        for group, context in zip(given.groups, given.contexts, strict=True)
    ]


def _shuffled(seed: int) -> Any:
    """KL to the base distribution with its non-group outcomes dealt to other tokens, one deal for the fit."""
    import torch

    from evenhand.training import objectives

    def loss(now: Any, base: Any) -> torch.Tensor:
        free = torch.isfinite(base.log_rest).all(dim=0).nonzero().squeeze(1)
        deal = torch.randperm(len(free), generator=torch.Generator().manual_seed(seed)).to(free.device)
        target = base.log_rest.clone()
        target[:, free] = base.log_rest[:, free[deal]]
        wanted = torch.cat([base.log_p, target], dim=1)
        return objectives.kl(wanted, torch.cat([now.log_p, now.log_rest], dim=1))

    return loss


component = Placebo
