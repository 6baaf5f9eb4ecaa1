"""Fairness in the loss: fine-tune on decisions with a penalty on the gap between the groups' errors.

``L = -ln P(true label word | prompt) + lam * gap``, where the gap is between the groups' expected errors
``1 - p(y)`` (p normalised over the label words), a smooth surrogate of errors counted by argmax, which has no
gradient; see `evenhand.training.fair_losses`. Batches are stratified, so that each holds every group. Only a
person's own prompt is trained on: this equalises errors between groups of people, not between counterfactual
twins. For classifiers that are not language models: `evenhand.training.classifier`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.errors import BadData
from evenhand.mitigations import _rules
from evenhand.mitigations._shams import Sham, dealt
from evenhand.postprocessing.prompts import favourable, own_groups
from evenhand.records import Ability, Attribution, Kinds, PersonExample
from evenhand.registry import spec_of
from evenhand.training.numbers import check_batch, check_numbers
from evenhand.training.parameters import block_parameters, check_blocks, every_parameter, require_open
from evenhand.treatments.rule import favourable_scores

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.training.fair_losses import GroupGapLoss
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class GroupGap:
    """Fine-tune on the true outcomes and on equal errors of the groups.

    Attributes:
        lam: weight of the gap; 0 is plain fine-tuning.
        surrogate: the smooth surrogate of a group's error: ``error`` (1 - p) or ``cross_entropy`` (-ln p).
        spread: for three groups and more, the mean gap over ``pairwise`` or the ``variance`` of the errors.
        blocks: numbers of the blocks to train, joined by ``+``; empty trains every parameter.
        lr: learning rate; None scales 1e-5 to the model's width, as for the other methods that train.
        epochs, batch: passes over the people, and people in a batch.
    """

    lam: float = 0.1
    surrogate: Literal["error", "cross_entropy"] = "error"
    spread: Literal["pairwise", "variance"] = "pairwise"
    blocks: str = ""
    lr: float | None = None
    epochs: int = 3
    batch: int = 32

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (PersonExample,)

    def __post_init__(self) -> None:
        check_numbers("group_gap", self, whole=("epochs", "batch"), from_zero=("lr", "lam"))

    def check(self, model: Model | None, examples: Sequence[PersonExample]) -> None:
        """Refuse blocks that the model does not have, and people or batches that cannot be trained on.

        Raises:
            BadModel: the model gives no weights, or its blocks cannot be found.
            BadOption: a block that does not exist, or batches smaller than the groups' number.
            BadData: no people to train on, or all of one group.
        """
        check_batch(self.batch, len({person.group for person in _train_part(examples)}))
        if model is not None and self.blocks:
            check_blocks(require_open(model, self.needs), blocks=self.blocks)

    def stages(self, model: OpenModel, examples: Sequence[PersonExample]) -> tuple[Stage, ...]:
        """What `fit` takes: it trains the named blocks, else everything.

        Raises:
            BadModel, BadOption: as for `check`.
        """
        from evenhand.training.finetune import stage_of

        return (stage_of(model, self._names(model), self.batch),)

    def fit(
        self, model: Model, examples: Sequence[PersonExample], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Train on the people of the train part; the model keeps its weights. `sites` is not used.

        The details hold each group's rates on the held-out people before and after, if there are any.

        Raises:
            BadModel: the model gives no weights, or the loss is not finite.
            BadOption: a block that does not exist, a bad weight, or batches smaller than the groups' number.
            BadData: no people to train on, or all of one group.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same training with the people's groups dealt out among them at random.

        Their prompts and true outcomes stay: what tuning on the outcomes does to a gap is in it.
        """
        return Sham(spec_of("group_gap", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[PersonExample],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.training.fair_losses import GroupGapLoss, stratified
        from evenhand.training.finetune import Recipe, course, learning_rate, train_named
        from evenhand.treatments import About, proven
        from evenhand.treatments.weights import WeightTreatment

        opened = require_open(model, self.needs)
        people = _train_part(examples)
        loss = GroupGapLoss(self.lam, self.surrogate, self.spread)
        lr = learning_rate(Recipe(self.lr), opened)
        groups = [person.group for person in people]
        groups = groups if sham is None else dealt(groups, sham)
        batches = list(stratified(groups, self.batch, epochs=self.epochs, seed=seed))
        weights, history = train_named(
            opened, self._names(opened), _batch_loss(opened, people, groups, loss), batches, lr
        )
        dev = [person for person in examples if person.part == "dev"]
        about = About(spec_of("group_gap", self), model.spec.digest, seed)
        details = {
            **course(lr, history),
            "people": len(people),
            "batches_without_gap": loss.skipped,
            **_held_out_rates(model, WeightTreatment(about, weights), dev),
        }
        about = About(about.method, about.base, seed, details)
        treatment: Treatment = proven(model, WeightTreatment(about, weights), people)
        return treatment

    def _names(self, model: OpenModel) -> tuple[str, ...]:
        return block_parameters(model, self.blocks) if self.blocks else every_parameter(model)


def _train_part(examples: Sequence[PersonExample]) -> list[PersonExample]:
    people = [person for person in examples if person.part == "train" and not person.keep]
    if not people:
        raise BadData(
            f"None of the {len(examples)} people is of the train part.",
            mend="Give people with part='train', such as those of the decisions benchmark.",
        )
    if len({person.group for person in people}) < 2:
        raise BadData(
            f"All people to train on are of the group {people[0].groups[people[0].group]!r}.",
            mend="Give people of at least two groups.",
        )
    return people


def _batch_loss(
    model: OpenModel, people: Sequence[PersonExample], membership: Sequence[int], loss: GroupGapLoss
) -> Callable[[Tensor], Tensor]:
    """The loss as a function of people's indices, from their label words' probabilities.

    `membership` are the groups between which there must be no gap.
    """
    import torch
    from torch.nn import functional

    from evenhand.scoring.terms import outcomes

    device = next(model.module.parameters()).device
    labels = torch.tensor([person.label for person in people], device=device)
    groups = torch.tensor(list(membership), device=device)
    asked = [person.twin(person.group) for person in people]

    def batch_loss(chosen: Tensor) -> Tensor:
        log_p = outcomes(model, [asked[i] for i in chosen.tolist()]).log_p
        rows = chosen.to(device)
        # The task loss keeps the label words likely among all words; the gap uses their shares.
        return loss(log_p, labels[rows], groups[rows], task=functional.nll_loss(log_p, labels[rows]))

    return batch_loss


def _held_out_rates(model: Model, treatment: Treatment, dev: Sequence[PersonExample]) -> Mapping[str, Any]:
    cells = {(person.group, outcome) for person, outcome in zip(dev, favourable(dev), strict=True)}
    if not dev or len(cells) < 2 * len(dev[0].groups):  # a rate of an empty cell is undefined
        return {"held_out": len(dev), "before": None, "after": None}
    before = favourable_scores(model, dev)
    with treatment.applied(model) as treated:
        after = favourable_scores(treated, dev)
    labels, groups = favourable(dev), own_groups(dev)
    return {
        "held_out": len(dev),
        "before": _rules.rates((before > 0.5).astype(float), labels, groups),
        "after": _rules.rates((after > 0.5).astype(float), labels, groups),
    }


component = GroupGap
