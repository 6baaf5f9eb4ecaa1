"""FPFT: the loss of LFTF on all parameters (Qin et al. 2025, table 4).

The paper's baseline reaches the smallest gap at a cost: its UB-Score falls to 0.0065, that is, the model no
longer follows an explicit hint. It is included as a baseline and is not recommended.
In several processes each holds a part of the gradients and moments, see `evenhand.training.sharded`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from evenhand.mitigations._keeping import keeping, rows
from evenhand.mitigations._shams import Sham
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import Rate, check_numbers
from evenhand.training.parameters import check_prompts, every_parameter, require_open

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.scoring.terms import Outcomes
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class FullFinetune:
    """Train every parameter until every group's term is equally likely.

    Attributes:
        lr: learning rate; ``paper`` is the paper's 1e-5, None scales that to the model's width.
        epochs, batch: the paper's 2 and 32.
        keep: weight of the KL divergence to the base on hinted prompts, beginnings of the prompts, and
            ordinary text, one of each beside every prompt; the paper has none (0).
    """

    lr: Rate = None
    epochs: int = 2
    batch: int = 32
    keep: float = 0.0

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (Example,)

    def __post_init__(self) -> None:
        check_numbers("full_finetune", self, whole=("epochs", "batch"), from_zero=("lr", "keep"))

    def check(self, model: Model | None, examples: Sequence[Example]) -> None:
        """Refuse a model without weights, or whose tokens make terms that it cannot be trained on.

        Raises:
            BadModel, BadData: as for `fit`.
        """
        if model is not None:
            check_prompts(require_open(model, self.needs), [e for e in examples if not e.keep])

    def stages(self, model: OpenModel, examples: Sequence[Example]) -> tuple[Stage, ...]:
        """What `fit` takes: it trains everything."""
        from evenhand.training.finetune import stage_of

        return (stage_of(model, every_parameter(model), rows(self.batch, self.keep)),)

    def fit(
        self, model: Model, examples: Sequence[Example], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Train all parameters on the examples; the model keeps its weights. `sites` is not used.

        Raises:
            BadModel: the model gives no weights, or the loss is not finite.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same training with each subject drawn towards equal groups or away from them, at random."""
        return Sham(spec_of("full_finetune", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Example],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.training import sham_losses
        from evenhand.training.finetune import Plan, Recipe, fit_weights

        opened = require_open(model, self.needs)
        trained = [e for e in examples if not e.keep]
        names = every_parameter(opened)
        plan = Plan(spec_of("full_finetune", self), Recipe(self.lr, self.epochs, self.batch), seed)
        own = _loss if sham is None else sham_losses.signed(sham_losses.nll, trained, sham)
        kept = keeping(opened, names, examples, self.keep, seed=seed, rows=len(trained))
        return fit_weights(opened, names, trained, own, plan, kept=kept)


def _loss(now: Outcomes, base: Outcomes, chosen: Tensor) -> Tensor:
    from evenhand.training import objectives

    return objectives.nll(now.log_p)


component = FullFinetune
