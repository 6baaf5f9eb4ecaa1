"""CDA, counterfactual data augmentation: tune on texts and on the same texts with the groups exchanged.

Zhao et al. 2018 and Webster et al. 2020 (one- and two-sided), as a second phase of training (Meade et al.
2022, bias-bench). Faults of bias-bench's code that are not copied: words are found by splitting at spaces and
in lower case only ("He" and "she." are missed), and "her" always becomes "his". Here every gendered word is
exchanged with its case and its punctuation kept, and "her" by what it does in its sentence
(`evenhand.lexicons.swap_gender`); names stay. Texts without a group's word are left out, as there.

Texts to model are given with their gendered words, pairs of sentences have their counterpart, and a prompt
becomes a text by a term after it: the one that the model itself would write, and another group's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from evenhand.mitigations._keeping import keeping, rows
from evenhand.mitigations._shams import Sham
from evenhand.mitigations._texts import found_texts, group_words, unrelated
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
class Cda:
    """Tune by language modelling of texts whose groups are balanced.

    Attributes:
        sides: ``two``: each text as it was found and with the groups exchanged; ``one``: only exchanged.
        train: ``all`` parameters, ``norms``, ``top:N`` (the last N blocks), or ``lora`` (rank 4 on queries
            and values).
        lr: learning rate; None scales 1e-5 to the model's width.
        epochs, batch: passes over the texts, and texts in a batch. bias-bench: 2000 steps of 256 (GPT-2) or
            512 (masked) texts of up to 512 tokens from a tenth of Wikipedia.
        maskings: how many times a masked or a sequence-to-sequence model sees each text in a pass, each time
            with other words hidden.
        keep: weight of the KL divergence to the base on hinted prompts, beginnings of the prompts, and
            ordinary text, one of each beside every text; for prompts alone. 0: none, as published.
    """

    sides: Literal["two", "one"] = "two"
    train: str = "all"
    lr: Rate = None
    epochs: int = 1
    batch: int = 32
    maskings: int = 4
    keep: float = 0.0

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (Example, TextExample, PairExample)

    def __post_init__(self) -> None:
        check_numbers("cda", self, whole=("epochs", "batch", "maskings"), from_zero=("lr", "keep"))

    def check(self, model: Model | None, examples: Sequence[Learnt]) -> None:
        """Refuse parameters that the model does not have.

        Raises:
            BadModel: it gives no weights.
            BadOption: `train` is not valid, or names more blocks than there are.
        """
        from evenhand.training.tuning import check_chosen

        check_chosen(self.train, model, self.needs)

    def stages(self, model: OpenModel, examples: Sequence[Learnt]) -> tuple[Stage, ...]:
        """What `fit` takes: it trains what `train` names.

        Raises:
            BadModel, BadOption: as for `check`.
        """
        from evenhand.training.tuning import stage_by

        return (stage_by(model, self.train, rows(self.batch, self.keep)),)

    def fit(
        self, model: Model, examples: Sequence[Learnt], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Tune on the texts; the model keeps its weights. `sites` is not used.

        Raises:
            BadData: no text has a word that could be exchanged.
            BadModel: the model gives no weights, or the loss is not finite.
            BadOption: as for `check`, or `keep` beside what is no prompt.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same tuning with unrelated words exchanged, drawn by `seed`, no group's word in the loss."""
        return Sham(spec_of("cda", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Learnt],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.training.language import Modelled
        from evenhand.training.means import beside
        from evenhand.training.taught import of_texts
        from evenhand.training.tuning import Course, reached, tune

        opened = require_open(model, self.needs)
        self.check(model, examples)
        found = found_texts(model, examples, seed=seed)
        used = found if sham is None else unrelated(found, seed=sham)
        texts = [one.swapped for one in used]
        if self.sides == "two":
            texts = [*(one.text for one in used), *texts]
        hidden = () if sham is None else group_words(found)
        again = 1 if model.spec.family == "causal" else self.maskings
        taught = [row for row in of_texts(opened, texts * again, hidden=hidden, seed=seed) if row.wanted]
        plan = Course(self.train, self.epochs, self.batch, self.lr, seed)
        kept = keeping(opened, reached(opened, self.train), examples, self.keep, seed=seed, rows=len(taught))
        tuned = tune(opened, len(taught), beside(Modelled(taught), kept), plan)
        details = {"texts": len(texts), "found": len(found)}
        return tuned.proven(model, spec_of("cda", self), plan, examples, details)


component = Cda
