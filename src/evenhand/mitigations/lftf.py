"""LFTF: locate first, then fine-tune only the block that a locator ranks first (Qin et al. 2025).

The loss printed in the paper (eq. 5, ``P(he) + P(she)``) cannot be what was minimised: it drives the
probability of both words to 0. The loss that fits the paper's figures is

    L_nll = -1/k sum_g ln P(g | prompt)                       minimum ln k; all mass goes to the groups

``mass_preserving`` is evenhand's own: the base distribution q with its group mass m shared equally,

    L_mp = KL(q || P),   q_g = m / k,   q_other = P_base(other)

so that the model uses a group word exactly as often as before. One block's weights are used at all positions
and in all prompts, so the KL to the base model is added on two kinds of prompts whose answers should not
change: training prompts with an explicit hint ("took her coat and", in other templates than GenHintEval's),
and a random beginning of each training prompt. Without the first kind the model no longer follows hints;
without the second, its predictions in other texts get worse. ``printed`` is kept for the ablation.

``symmetric_kl`` is the loss of BiasEdit (Xu et al. 2025): the symmetric KL divergence between the model's
distributions for the two members of a pair, with a KL to the base on texts that should stay. A pair is here a
prompt with the terms of two groups, so the members are one distribution with these two exchanged, and the
texts that stay are the two kinds of prompts above; see `evenhand.training.objectives`.

A masked model is trained where it is asked, at the mask that stands for the term; a sequence-to-sequence
model on the term that its decoder writes, in the form that scoring chooses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.errors import BadOption
from evenhand.mitigations._keeping import companions
from evenhand.mitigations._shams import Sham
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import Rate, check_numbers
from evenhand.training.parameters import (
    check_blocks,
    check_prompts,
    chosen_blocks,
    named_blocks,
    parameter_names,
    require_open,
)

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.scoring.terms import Outcomes
    from evenhand.training.finetune import TermLoss
    from evenhand.treatments import Treatment


_KEEPING = ("mass_preserving", "symmetric_kl")  # losses with companions: prompts that should stay
_KEEPING_TABLES = 16  # as large as the logits, measured: theirs, the base's, and those of the rest


@dataclass(frozen=True)
class Lftf:
    """Fine-tune the located block until every group's term is equally likely.

    Attributes:
        loss: ``nll`` (what the paper must have used), ``mass_preserving`` (ours), ``symmetric_kl``
            (BiasEdit's), ``printed`` (eq. 5).
        modules: train ``both`` halves of the block, or only ``attention`` or ``mlp`` with its norm.
        terms: ``both`` (all groups), or group names joined by ``+``: the one-term ablation of table 8.
        top: how many blocks, from the top of the locator's ranking.
        blocks: explicit block numbers joined by ``+``, instead of the locator's choice.
        lr: learning rate; ``paper`` is the paper's 1e-5, None scales that to the model's width.
        epochs: None is the paper's 2, and 6 for ``mass_preserving`` and ``symmetric_kl``.
        batch: the paper's 32.
        keep: weight of keeping hinted prompts and beginnings in these two; 0 turns it off.
    """

    loss: Literal["nll", "mass_preserving", "symmetric_kl", "printed"] = "nll"
    modules: Literal["both", "attention", "mlp"] = "both"
    terms: str = "both"
    top: int = 1
    blocks: str = ""
    lr: Rate = None
    epochs: int | None = None
    batch: int = 32
    keep: float = 1.0

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = True
    fits_on: ClassVar[Kinds] = (Example,)

    def __post_init__(self) -> None:
        check_numbers("lftf", self, whole=("top", "epochs", "batch"), from_zero=("lr", "keep"))

    def check(self, model: Model | None, examples: Sequence[Example]) -> None:
        """Refuse blocks that the model does not have, and groups that the examples do not have.

        Raises:
            BadModel: the model gives no weights, its blocks cannot be found, or its tokens make terms that it
                cannot be trained on.
            BadOption: a block, `top` or `terms` that cannot be.
        """
        trained = [e for e in examples if not e.keep]
        self._groups(trained)
        if model is not None:
            opened = require_open(model, self.needs)
            check_blocks(opened, top=self.top, blocks=self.blocks)
            check_prompts(opened, trained)

    def stages(self, model: OpenModel, examples: Sequence[Example]) -> tuple[Stage, ...]:
        """What `fit` takes at the most: where a locator will choose, the largest blocks from the lowest on.

        Raises:
            BadModel, BadOption: as for `check`.
        """
        from evenhand.training.finetune import stage_of

        check_blocks(model, top=self.top, blocks=self.blocks)
        sized = {
            site: stage_of(model, parameter_names(model, [site], self.modules), self.batch).weights
            for site in model.layout.blocks()
        }
        largest = sorted(sized, key=lambda site: -sized[site])[: self.top]
        blocks = named_blocks(model, self.blocks) if self.blocks else tuple(largest)
        companions = 2 if self.loss in _KEEPING and self.keep else 0
        found = stage_of(model, parameter_names(model, blocks, self.modules), self.batch * (1 + companions))
        tables = _KEEPING_TABLES if self.loss in _KEEPING else found.tables
        lowest = found.lowest if self.blocks else 0
        return (dataclasses.replace(found, tables=tables, lowest=lowest, restarts=True),)

    def fit(
        self, model: Model, examples: Sequence[Example], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Train the block on the examples; the model keeps its weights.

        Raises:
            BadModel: the model gives no weights, or no block was located or named.
            BadOption: `terms` names a group that the examples do not have.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham | None:
        """The same training with each subject drawn towards equal groups or away from them, at random.

        None for the printed loss, which has no direction between groups.
        """
        if self.loss == "printed":
            return None
        return Sham(spec_of("lftf", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Example],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.training.finetune import Plan, Recipe, fit_weights

        opened = require_open(model, self.needs)
        blocks = chosen_blocks(opened, sites, top=self.top, blocks=self.blocks)
        names = parameter_names(opened, blocks, self.modules)
        trained = [e for e in examples if not e.keep]
        companions = self._companions(trained, [e for e in examples if e.keep], seed)
        epochs = self.epochs
        if epochs is None:
            epochs = 6 if self.loss in _KEEPING else 2
        located_by = None if self.blocks or sites is None else sites.locator
        plan = Plan(
            spec_of("lftf", self),
            Recipe(self.lr, epochs, self.batch),
            seed,
            companions,
            {"blocks": list(blocks), "located_by": located_by, "kept": [len(c) for c in companions]},
        )
        return fit_weights(opened, names, trained, self._loss(trained, len(companions), sham), plan)

    def _companions(
        self, trained: Sequence[Example], kept: Sequence[Example], seed: int
    ) -> tuple[Sequence[Example], ...]:
        """The additional prompts of each training prompt: a hinted one, if there are any, and a beginning."""
        if self.loss not in _KEEPING or not self.keep:
            return ()
        return companions(trained, kept, seed)

    def _loss(self, examples: Sequence[Example], kinds: int, sham: int | None) -> TermLoss:
        from evenhand.training import objectives, sham_losses

        groups = self._groups(examples)
        of_loss: dict[str, tuple[TermLoss, Any]] = {  # each loss, and its sham without signs
            "nll": (
                partial(_of_groups, partial(objectives.nll, groups=groups)),
                partial(sham_losses.nll, groups=groups),
            ),
            "mass_preserving": (_of_all, sham_losses.mass_preserving),
            "symmetric_kl": (partial(_of_groups, objectives.symmetric_kl), sham_losses.symmetric_kl),
            "printed": (partial(_of_groups, objectives.printed), None),
        }
        loss, unsigned = of_loss[self.loss]
        if sham is not None:
            loss = sham_losses.signed(unsigned, examples, sham)
        return partial(_beside_companions, loss, (kinds, self.keep)) if kinds else loss

    def _groups(self, examples: Sequence[Example]) -> tuple[int, ...] | None:
        if self.terms == "both":
            return None
        if self.loss != "nll":
            raise BadOption(
                f"terms={self.terms} cannot be used with loss={self.loss}.", mend="Leave one of them out."
            )
        known = examples[0].groups if examples else ()
        unknown = [name for name in self.terms.split("+") if name not in known]
        if unknown:
            raise BadOption(
                f"terms={self.terms}: there is no group {unknown[0]!r}.",
                mend=f"Write both, or groups joined by +, from: {', '.join(known)}.",
            )
        return tuple(known.index(name) for name in self.terms.split("+"))


def _of_groups(loss: Callable[[Tensor], Tensor], now: Outcomes, base: Outcomes, chosen: Tensor) -> Tensor:
    return loss(now.log_p)


def _of_all(now: Outcomes, base: Outcomes, chosen: Tensor) -> Tensor:
    from evenhand.training import objectives

    return objectives.mass_preserving(now.log_p, now.log_rest, base.log_p, base.log_rest)


def _beside_companions(
    loss: TermLoss, extent: tuple[int, float], now: Outcomes, base: Outcomes, chosen: Tensor
) -> Tensor:
    """The loss of the first rows, and KL to the base on the rows of all companions.

    `extent` is the number of kinds of companions, and the weight of each.
    """
    from evenhand.scoring.terms import Outcomes
    from evenhand.training.keeping import moved

    kinds, weight = extent
    n = len(now.log_p) // (1 + kinds)  # of (1 + kinds) * n rows: log_p [rows, k], log_rest [rows, R]
    first, base_first = (Outcomes(of.log_p[:n], of.log_rest[:n]) for of in (now, base))
    total = loss(first, base_first, chosen)
    for start in range(n, n * (1 + kinds), n):
        total = total + weight * moved(now, base, slice(start, start + n))
    return total


component = Lftf
