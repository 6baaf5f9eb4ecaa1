"""Fine-tuning with a target that has no contrast between groups.

Same prompts, parameters, steps and batches as the treatment it is compared with, but the target keeps every
group's probability at the base model's own value, prompt by prompt, and assigns the rest of the
distribution to shuffled tokens. Its effect on a bias score is the effect of such tuning without any debiasing
signal (the capability-matched control, family a). The dose multiplies the learning rate.

For decisions the label words take the place of the groups' terms: after every twin's prompt each label word
keeps the probability that the base model gives it, so that neither the decisions nor the gap between twins is
trained to change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from evenhand.controls import Ladder
from evenhand.controls._parameters import check, touched
from evenhand.records import Ability, Example, Kinds, PersonExample
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.treatments import Treatment

RECIPE = ("lr", "epochs", "batch")  # the settings that it copies from a treatment that was trained


@dataclass(frozen=True)
class Placebo:
    """Tune without a debiasing signal.

    Attributes:
        dose: multiplies the learning rate; above 0.
        blocks: block numbers joined by ``+``; empty means the blocks that the compared treatment changes;
            without a treatment, the located block, or all parameters if there is none.
        lr, epochs, batch: as in LFTF; those of the compared treatment, if that was trained.
    """

    dose: float = 1.0
    blocks: str = ""
    lr: float | None = None
    epochs: int = 2
    batch: int = 32

    ladder: ClassVar[Ladder] = Ladder(
        "a", (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0), (1.0, 4.0, 16.0, 64.0)
    )
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = True
    fits_on: ClassVar[Kinds] = (Example, PersonExample)

    def __post_init__(self) -> None:
        check_numbers("placebo", self, whole=("epochs", "batch"), positive=("dose",), from_zero=("lr",))

    def beside(self, treatment: Treatment, dose: float) -> Self:
        """The same control at `dose`, with the learning rate, epochs and batch of a trained treatment."""
        details = treatment.about.details
        same = {key: details[key] for key in RECIPE if key in details}
        return dataclasses.replace(self, dose=dose, **same)

    def check(self, model: Model | None, examples: Sequence[Example | PersonExample]) -> None:
        """Refuse named blocks that the model does not have.

        Raises:
            BadModel: it gives no weights, or its blocks cannot be found.
            BadOption: a named block does not exist.
        """
        check(model, self.needs, self.blocks)

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The parameters of `blocks`, else those that the treatment changes, else all."""
        return touched(model, treatment, self.blocks)

    def damage(
        self,
        model: OpenModel,
        treatment: Treatment,
        dose: float,
        *,
        examples: Sequence[Example | PersonExample],
        seed: int,
    ) -> Treatment:
        """Train on the shuffled targets (people of part ``train`` only); the model keeps its weights.

        Raises:
            BadModel: the model gives no weights, or the dose is so high that the loss is not finite.
            NoEffect: no answer changed.
        """
        from evenhand.training.finetune import Plan, Recipe, fit_weights, learning_rate

        opened, dosed = require_open(model, self.needs), self.beside(treatment, dose)
        trained = [prompt for e in examples if not e.keep for prompt in _prompts(e)]
        lr = learning_rate(Recipe(dosed.lr), opened) * dose
        recipe = Recipe(lr, dosed.epochs, dosed.batch)
        plan = Plan(spec_of("placebo", dosed), recipe, seed, details={"dose": dose})
        names = dosed.parameters(opened, treatment, seed=seed)
        return fit_weights(opened, names, trained, _shuffled(seed), plan)


def _prompts(given: Example | PersonExample) -> list[Example]:
    """The example itself, or the twins of a person of the train part."""
    if isinstance(given, Example):
        return [given]
    return [given.twin(g) for g in range(len(given.groups))] if given.part == "train" else []


def _shuffled(seed: int) -> Any:
    """KL to the base distribution with its non-group outcomes permuted; one permutation for the whole fit."""
    import torch

    from evenhand.training import objectives

    def loss(now: Any, base: Any) -> torch.Tensor:
        # log_p [N, k], log_rest [N, R]; `free` [F] are the outcomes that are possible in every row.
        free = torch.isfinite(base.log_rest).all(dim=0).nonzero().squeeze(1)
        deal = torch.randperm(len(free), generator=torch.Generator().manual_seed(seed)).to(free.device)
        target = base.log_rest.clone()
        target[:, free] = base.log_rest[:, free[deal]]
        wanted = torch.cat([base.log_p, target], dim=1)  # [N, k + R]
        return objectives.kl(wanted, torch.cat([now.log_p, now.log_rest], dim=1))

    return loss


component = Placebo
