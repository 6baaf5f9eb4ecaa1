"""PCGU: unlearn in the weight vectors where the two groups' gradients disagree (Yu et al. 2023).

At the place of the term, g_a is the gradient of the advantaged term's logit (the likelier one) and g_d that
of the disadvantaged one's. The model's matrices are cut into vectors, and in each step only the k vectors
with the lowest cosine between g_a and g_d are moved, by plain gradient ascent on the disadvantaged logit.

The published code is for masked models and two terms. Here it is for every family and for k groups: the
most and the least likely of them, looked up again in every step, so that a prompt whose order has turned is
drawn back. Vectors without a gradient have no cosine and stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from evenhand.errors import BadData
from evenhand.mitigations._shams import Sham
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import check_prompts, require_open

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.treatments import Treatment

SHARE = 0.087  # 10 000 of the 114 724 vectors of bert-base, the paper's


@dataclass(frozen=True)
class Pcgu:
    """Move the vectors in which the groups' gradients point apart, towards the less likely group.

    Attributes:
        k: vectors that move in a step, at most; None is the paper's 10 000, or 8.7 % of the model's, which
            is that number's share of bert-base, where that is less.
        step: ``raise`` the disadvantaged term's logit, or ``lower`` the advantaged one's.
        lr: learning rate of gradient descent; None is 1e-5 (the paper's) times 768 / width.
        epochs, batch: the paper's 5 and 16.
    """

    k: int | None = None
    step: Literal["raise", "lower"] = "raise"
    lr: float | None = None
    epochs: int = 5
    batch: int = 16

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (Example,)

    def __post_init__(self) -> None:
        check_numbers("pcgu", self, whole=("k", "epochs", "batch"), from_zero=("lr",))

    def check(self, model: Model | None, examples: Sequence[Example]) -> None:
        """Refuse a model that gives no weights, and prompts that its tokens cannot make.

        Raises:
            BadModel, BadData: they are such.
        """
        if model is not None:
            check_prompts(require_open(model, self.needs), [e for e in examples if not e.keep])

    def stages(self, model: OpenModel, examples: Sequence[Example]) -> tuple[Stage, ...]:
        """What `fit` takes: three gradients of every matrix, the products of two in turn, and no moments."""
        from evenhand.models.stage import FLOAT32
        from evenhand.training.finetune import stage_of
        from evenhand.training.partitioned import vectors

        names = [one.name for one in vectors(model.module)]
        largest = max(model.module.get_parameter(name).numel() for name in names)
        found = stage_of(model, names, self.batch)
        return (
            replace(
                found, gradients=3, moments=0, head=False, tables=3, padded=True, matrices=FLOAT32 * largest
            ),
        )

    def fit(
        self, model: Model, examples: Sequence[Example], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Move the vectors; the model keeps its weights. `sites` is not used.

        Raises:
            BadData: there is no prompt to train on.
            BadModel: as for `check`, or the logits are not finite.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same vectors and steps, each subject towards its less likely group or its likeliest."""
        return Sham(spec_of("pcgu", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Example],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.training import sham_losses
        from evenhand.training.finetune import course
        from evenhand.training.loop import shuffled
        from evenhand.training.partitioned import Unlearning, unlearn, vectors
        from evenhand.treatments import About, proven
        from evenhand.treatments.weights import WeightTreatment

        self.check(model, examples)
        opened = require_open(model, self.needs)
        used = [example for example in examples if not example.keep]
        if not used:
            raise BadData(
                "There is no prompt to train on.",
                mend="Use a benchmark with a train part, such as genbiaseval.",
            )
        number = sum(_count(opened.module.get_parameter(v.name), v.columns) for v in vectors(opened.module))
        k = min(10_000, max(1, round(SHARE * number))) if self.k is None else self.k
        width = int(opened.module.config.get_text_config().hidden_size)  # type: ignore[union-attr,operator]
        lr = 1e-5 * 768 / width if self.lr is None else self.lr
        signs = [1.0] * len(used) if sham is None else list(sham_losses.signs(used, sham))
        how = Unlearning(k, lr, shuffled(len(used), self.batch, epochs=self.epochs, seed=seed))
        weights, history, moved = unlearn(opened, self._objectives(opened, used, signs), how)
        details = {
            **course(lr, history, rate="gradient_step"),  # plain ascent, no AdamW
            "epochs": self.epochs,
            "batch": self.batch,
            "k": k,
            "vectors": number,
            "vectors_moved": moved,
        }
        about = About(spec_of("pcgu", self), model.spec.digest, seed, details)
        treatment: Treatment = proven(model, WeightTreatment(about, weights), examples)
        return treatment

    def _objectives(
        self, model: OpenModel, examples: Sequence[Example], signs: Sequence[float]
    ) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
        import torch

        from evenhand.records import Continuation
        from evenhand.training.taught import term_logits

        groups = len(examples[0].terms)
        asked = [[Continuation(e.context, forms[0]) for forms in e.terms] for e in examples]
        drawn = torch.tensor(list(signs))

        def objectives(chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            items = [item for i in chosen.tolist() for item in asked[i]]
            table = term_logits(model, items).view(-1, groups)  # [n, k]
            high, low = table.amax(1), table.amin(1)
            up = high if self.step == "lower" else low  # what moves, and which way for the treatment itself
            way = -1.0 if self.step == "lower" else 1.0
            other = low if self.step == "lower" else high
            towards = drawn[chosen].to(table) > 0
            return high.mean(), low.mean(), way * torch.where(towards, up, other).mean()

        return objectives


def _count(parameter: Tensor, columns: bool) -> int:
    return int(parameter.shape[1 if columns else 0])


component = Pcgu
