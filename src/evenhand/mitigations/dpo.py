"""DPO on pairs that differ in the group: direct preference optimisation, one-sided or balanced.

Rafailov et al. 2023 (eq. 7), with the anti-stereotyped answer y_a preferred to the stereotyped one y_s:

    L_dpo = -ln sigma(beta [(ln pi(y_a) - ln pi0(y_a)) - (ln pi(y_s) - ln pi0(y_s))])

It has no end: pi(y_a) goes on rising once both are equally likely, so that a model that is trained long
stereotypes the other way round. The default is evenhand's own, which ends at equality:

    L_balanced = (ln pi(y_a) - ln pi(y_s))^2

For prompts that groups' terms may follow, y_s is the term that the base holds to be the most likely, y_a the
least likely one; a group's probability is that of all its forms. For pairs of sentences, y_s is the
stereotyping one; there the balanced loss is of the mean log-probability a token, so that a longer sentence is
not expected to be as likely as a shorter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.errors import BadData
from evenhand.mitigations._keeping import keeping, rows
from evenhand.mitigations._shams import Sham
from evenhand.records import Ability, Attribution, Example, Kinds, PairExample
from evenhand.registry import spec_of
from evenhand.training.numbers import Rate, check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.training.means import Mean
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Dpo:
    """Train on preferences between the groups' versions of an answer.

    Attributes:
        target: ``balanced``: both as likely; ``preferred``: DPO as published, towards the less likely one.
        beta: strength of the preference (``preferred`` alone); the published 0.1.
        train: ``all`` parameters, ``norms``, ``top:N`` (the last N blocks), or ``lora`` (for pairs of
            sentences alone).
        lr: learning rate; None scales 1e-5 to the model's width.
        epochs, batch: passes over the pairs, and pairs in a batch.
        keep: weight of the KL divergence to the base on hinted prompts, beginnings of the prompts, and
            ordinary text, one of each beside every prompt; for prompts alone. 0: none, as published.
    """

    target: Literal["balanced", "preferred"] = "balanced"
    beta: float = 0.1
    train: str = "top:1"
    lr: Rate = None
    epochs: int = 2
    batch: int = 32
    keep: float = 0.0

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (Example, PairExample)

    def __post_init__(self) -> None:
        check_numbers("dpo", self, whole=("epochs", "batch"), positive=("beta",), from_zero=("lr", "keep"))

    def check(self, model: Model | None, examples: Sequence[Example | PairExample]) -> None:
        """Refuse parameters that the model does not have.

        Raises:
            BadModel: the model gives no weights, or its blocks cannot be found.
            BadOption: `train` is not valid.
        """
        from evenhand.training.tuning import check_chosen

        check_chosen(self.train, model, self.needs)

    def stages(self, model: OpenModel, examples: Sequence[Example | PairExample]) -> tuple[Stage, ...]:
        """What `fit` takes: it trains what `train` names. Of sentences each token is predicted.

        Raises:
            BadModel, BadOption: as for `check`.
        """
        from evenhand.training.tuning import stage_by

        pairs = any(isinstance(example, PairExample) for example in examples)
        return (stage_by(model, self.train, rows(self.batch, self.keep), every=pairs),)

    def fit(
        self,
        model: Model,
        examples: Sequence[Example | PairExample],
        *,
        sites: Attribution | None,
        seed: int,
    ) -> Treatment:
        """Train on the pairs; the model keeps its weights. `sites` is not used.

        Raises:
            BadData: there is no pair, or prompts and pairs of sentences are mixed.
            BadModel: the model gives no weights, or the loss is not finite.
            BadOption: as for `check`, or `keep` beside what is no prompt.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same training with each subject drawn towards the preference or away from it, at random."""
        return Sham(spec_of("dpo", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[Example | PairExample],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.training.means import beside
        from evenhand.training.tuning import Course, reached, tune

        opened = require_open(model, self.needs)
        self.check(model, examples)
        used = [example for example in examples if not example.keep]
        if not used or len({type(example) for example in used}) > 1:
            raise BadData(
                "There is no example to train on." if not used else "Prompts and pairs are mixed.",
                mend="Give prompts with groups' terms, or pairs of sentences.",
            )
        made = self._of_terms if isinstance(used[0], Example) else self._of_sentences
        own = partial(made, examples=used, sham=sham)
        kept = keeping(opened, reached(opened, self.train), examples, self.keep, seed=seed, rows=len(used))
        plan = Course(self.train, self.epochs, self.batch, self.lr, seed)
        tuned = tune(opened, len(used), beside(own, kept), plan)
        return tuned.proven(model, spec_of("dpo", self), plan, examples, {"examples": len(used)})

    def _of_terms(
        self, model: OpenModel, base: OpenModel, *, examples: Sequence[Any], sham: int | None
    ) -> Sequence[Mean]:
        import torch

        from evenhand.scoring.terms import Prompts
        from evenhand.training import sham_losses
        from evenhand.training.means import single

        whole = Prompts(base, examples)
        prompts = whole if model is base else Prompts(model, examples)
        with torch.no_grad():
            parts = torch.split(torch.arange(len(examples)), self.batch)
            before = torch.cat([whole.outcomes(part.tolist()).log_p for part in parts])  # [n, k]
        drawn = None if sham is None else torch.tensor(sham_losses.signs(examples, sham)).to(before)

        def loss(rows: Tensor) -> Tensor:
            at = rows.to(before.device)
            now = prompts.outcomes(rows.tolist()).log_p
            return self.of_terms(now, before[at], None if drawn is None else drawn[at])

        return single(loss, len(examples))

    def of_terms(self, log_p: Tensor, base: Tensor, signs: Tensor | None = None) -> Tensor:
        """The loss of the groups' log-probabilities now and in the base, both [n, k], with `signs` [n]."""
        of = [base.argmin(1, keepdim=True), base.argmax(1, keepdim=True)]  # y_a, y_s
        a, s = (log_p.gather(1, one)[:, 0] for one in of)  # [n]
        a0, s0 = (base.gather(1, one)[:, 0] for one in of)
        return self._of(a - s, a0 - s0, signs)

    def _of_sentences(
        self, model: OpenModel, base: OpenModel, *, examples: Sequence[Any], sham: int | None
    ) -> Sequence[Mean]:
        import torch

        from evenhand.training import sham_losses
        from evenhand.training.means import single
        from evenhand.training.taught import of_texts, row_means, token_logs

        texts = [text for pair in examples for text in (pair.counterpart, pair.sentence)]
        rows = of_texts(model, texts)  # y_a and y_s of each pair in turn
        lengths = torch.tensor([len(row.wanted) for row in rows])

        def difference(model: OpenModel, chosen: Tensor) -> Tensor:
            """ln pi(y_a) - ln pi(y_s), [n]: a token where the target is balanced."""
            of = [rows[2 * i + side] for i in chosen.tolist() for side in (0, 1)]
            means = row_means(token_logs(model, of), of)
            if self.target == "preferred":
                own = torch.stack([2 * chosen, 2 * chosen + 1], 1).flatten()
                means = means * lengths[own].to(means.device)
            return means[::2] - means[1::2]

        with torch.no_grad():
            parts = torch.split(torch.arange(len(examples)), self.batch)
            before = torch.cat([difference(base, part) for part in parts])  # [n]
        drawn = None if sham is None else torch.tensor(sham_losses.signs(examples, sham)).to(before)

        def loss(chosen: Tensor) -> Tensor:
            at = chosen.to(before.device)
            return self._of(difference(model, chosen), before[at], None if drawn is None else drawn[at])

        return single(loss, len(examples))

    def _of(self, now: Tensor, base: Tensor, signs: Tensor | None) -> Tensor:
        """The loss of the differences ln pi(y_a) - ln pi(y_s), [n].

        Where a sham's sign is -1 the difference is mirrored at the base's: it is drawn as far away.
        """
        import torch

        from evenhand.training import preferences

        if signs is not None:
            now = base + signs * (now - base)
        nothing = torch.zeros_like(now)
        if self.target == "balanced":
            return preferences.balanced(now, nothing)
        return preferences.dpo(now, nothing, base, nothing, self.beta)


component = Dpo
