"""Dropout as a mitigation: tune on texts as they were found, with more dropout (Webster et al. 2020).

The idea is that dropout interrupts the associations between groups' words and others. The rates are those of
bias-bench by architecture. A model of a newer architecture has no dropout on its hidden states: there it is
inserted behind each attention and each MLP, which is evenhand's own and not the published method, or the
model is refused (``insert=false``).

Texts are as for `cda`, without the exchange: a prompt has the term after it that the model itself would
write, so that tuning alone aims at the groups' shares as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from evenhand.mitigations._shams import Sham
from evenhand.mitigations._texts import found_texts, group_words
from evenhand.records import Ability, Attribution, Example, Kinds, PairExample, TextExample
from evenhand.registry import spec_of
from evenhand.training.numbers import Rate, check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.treatments import Treatment

Learnt = Example | TextExample | PairExample


@dataclass(frozen=True)
class Dropout:
    """Tune on texts as they are with dropout on.

    Attributes:
        hidden: share of the hidden states that is dropped; None is the architecture's (BERT, RoBERTa .20,
            ALBERT .05, GPT-2 and all others .15).
        attention: the same of attention probabilities; None is .15, ALBERT .05.
        insert: whether dropout is inserted where a model has none; else it is refused.
        train: ``all`` parameters, ``norms``, ``top:N`` (the last N blocks), or ``lora``.
        lr: learning rate; None scales 1e-5 to the model's width.
        epochs, batch: passes over the texts, and texts in a batch.
        maskings: as in `cda`.
    """

    hidden: float | None = None
    attention: float | None = None
    insert: bool = True
    train: str = "all"
    lr: Rate = None
    epochs: int = 1
    batch: int = 32
    maskings: int = 4

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (Example, TextExample, PairExample)

    def __post_init__(self) -> None:
        check_numbers(
            "dropout",
            self,
            whole=("epochs", "batch", "maskings"),
            from_zero=("lr",),
            shares=("hidden", "attention"),
        )

    def check(self, model: Model | None, examples: Sequence[Learnt]) -> None:
        """Refuse parameters that the model does not have, and a model without dropout if none is inserted.

        Raises:
            BadModel: it gives no weights, or it has no dropout.
            BadOption: `train` is not valid.
        """
        from evenhand.training.dropping import check_dropout
        from evenhand.training.tuning import check_chosen

        check_chosen(self.train, model, self.needs)
        if model is not None:
            check_dropout(require_open(model, self.needs), insert=self.insert)

    def stages(self, model: OpenModel, examples: Sequence[Learnt]) -> tuple[Stage, ...]:
        """What `fit` takes: it trains what `train` names.

        Raises:
            BadModel, BadOption: as for `check`.
        """
        from evenhand.training.tuning import stage_by

        return (stage_by(model, self.train, self.batch),)

    def fit(
        self, model: Model, examples: Sequence[Learnt], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Tune on the texts with dropout on; the model keeps its weights. `sites` is not used.

        Raises:
            BadData: no text has a group's word.
            BadModel, BadOption: as for `check`.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same tuning and dropout, drawn by `seed`, with no group's word in the loss."""
        return Sham(spec_of("dropout", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Learnt],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.training.dropping import Dropped, has_dropout, rates_of
        from evenhand.training.language import Modelled
        from evenhand.training.taught import of_texts
        from evenhand.training.tuning import Course, tune

        self.check(model, examples)
        opened = require_open(model, self.needs)
        found = found_texts(model, examples, seed=seed)
        texts, hidden = [one.text for one in found], () if sham is None else group_words(found)
        again = 1 if model.spec.family == "causal" else self.maskings
        rows = [row for row in of_texts(opened, texts * again, hidden=hidden, seed=seed) if row.wanted]
        inserted, rates = not has_dropout(opened), rates_of(opened, self.hidden, self.attention)
        first = 1_000_003 * (seed if sham is None else sham + 1)
        plan = Course(self.train, self.epochs, self.batch, self.lr, seed)
        tuned = tune(opened, len(rows), Dropped(Modelled(rows), rates, first), plan)
        details = {
            "texts": len(texts),
            "hidden": rates.hidden,
            "attention": rates.attention,
            "inserted": inserted,
        }
        return tuned.proven(model, spec_of("dropout", self), plan, examples, details)


component = Dropout
