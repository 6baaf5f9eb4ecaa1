"""Tuning on CrowS-Pairs: learn to write the less stereotyping sentence of each pair.

After the study of UQAC (FLAN-T5 small and base, Bloomz-560m). Two forms: *rewrite* (the more stereotyping
sentence in, the less stereotyping one out) and *gap* (a sentence with a blank for every span in which the two
differ, the words out). Faults of the study that are not copied:

- source and target exchanged by the direction column, so that 218 of 1508 pairs taught the stereotype;
- Bloomz's labels were the answer's ids alone, padded to 50 and not behind the prompt, so that no position
  fitted its target and the model broke down (no valid answer left). Here the input is prompt, answer and end
  mark, and only the answer is predicted;
- all spans merged into one blank; a pair with a span on one side alone is left out of the gap form here;
- FLAN-T5 at a rate of 0.01 for 50 or 75 epochs: the default is 10 times evenhand's scaled 1e-5 (causal: once)
  for at most 3, and training stops once the loss on held-out pairs no longer falls.

Against forgetting, after the study's own suggestion and Gira et al. 2022: train less (`train`), mix general
text in (`replay`), and keep the distribution there (`kl`).

Never score CrowS-Pairs after it: a study refuses to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.errors import BadData, BadModel, BadOption
from evenhand.mitigations._crows import Data, Form, Lesson, divided, lesson, pairs_of
from evenhand.mitigations._shams import Sham
from evenhand.mitigations._texts import general
from evenhand.records import Ability, Attribution, Example, Kinds, PairExample
from evenhand.registry import spec_of
from evenhand.training.numbers import Rate, check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.scoring.plan import Row
    from evenhand.training.means import Mean
    from evenhand.treatments import Treatment

DEV = 0.1  # of the pairs' clusters


@dataclass(frozen=True)
class CrowsTuning:
    """Learn the less stereotyping sentence of each pair.

    Attributes:
        form: ``rewrite`` or ``gap``; ``auto`` is the study's: rewrite for sequence-to-sequence models, gap
            for causal ones.
        data: ``official``: CrowS-Pairs from the data folder; ``lab``: pairs in the lab's words about the
            subjects of the training examples; ``auto``: lab for lab models, else official. Pairs that are
            given as training examples come before either.
        file: a CSV of your own with the columns sent_more and sent_less.
        instruction: in front of each question; empty is the form's own.
        train: ``all`` parameters, ``norms``, ``top:N`` (the last N blocks), or ``lora``.
        replay: share of general text among what is trained on, from 0 to below 1.
        kl: weight of KL(base || tuned) on that text, in nats; 0 models it as text instead.
        lr: learning rate; None scales 1e-5 to the width, ten times that for sequence-to-sequence models.
        epochs, batch: passes at most, and rows in a batch.
    """

    form: Literal["auto", "rewrite", "gap"] = "auto"
    data: Data = "auto"
    file: str = ""
    instruction: str = ""
    train: str = "all"
    replay: float = 0.2
    kl: float = 0.0
    lr: Rate = None
    epochs: int = 3
    batch: int = 32

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (PairExample, Example)

    def __post_init__(self) -> None:
        check_numbers(
            "crows_tuning", self, whole=("epochs", "batch"), from_zero=("lr", "kl"), shares=("replay",)
        )
        if self.kl and not self.replay:
            raise BadOption(
                "kl keeps the distribution on general text, and replay=0 gives none.",
                mend="Write replay=0.2.",
            )

    def check(self, model: Model | None, examples: Sequence[PairExample | Example]) -> None:
        """Refuse a model that writes no answers, and parameters that it does not have.

        Raises:
            BadModel: it is a masked model, or it gives no weights.
            BadOption: `train` is not valid.
        """
        from evenhand.training.tuning import check_chosen

        if model is not None and require_open(model, self.needs).spec.family not in ("causal", "seq2seq"):
            raise BadModel(
                f"{model.spec.uri} is a {model.spec.family} model, which writes no answers to learn.",
                mend="Use a causal or a sequence-to-sequence model, or `--with cda`.",
            )
        check_chosen(self.train, model, self.needs)

    def own_examples(self, model: Model, examples: Sequence[PairExample | Example]) -> list[PairExample]:
        """The pairs that it trains on, by the ids that the benchmark gives them.

        Raises:
            BadData: there are none, or the file cannot be read.
        """
        return pairs_of(model.spec.uri, examples, self.data, self.file)

    def stages(self, model: OpenModel, examples: Sequence[PairExample | Example]) -> tuple[Stage, ...]:
        """What `fit` takes: it trains what `train` names.

        Raises:
            BadModel, BadOption: as for `check`.
        """
        from evenhand.training.tuning import stage_by

        return (stage_by(model, self.train, self.batch),)

    def fit(
        self,
        model: Model,
        examples: Sequence[PairExample | Example],
        *,
        sites: Attribution | None,
        seed: int,
    ) -> Treatment:
        """Train on the pairs; the model keeps its weights. `sites` is not used.

        Raises:
            BadData: no pair has a form that can be learnt, or the official file is not on this machine.
            BadModel, BadOption: as for `check`.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same training with source and target of each pair exchanged or not, at random."""
        return Sham(spec_of("crows_tuning", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[PairExample | Example],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.training.taught import of_answers, of_texts
        from evenhand.training.tuning import Course, tune

        self.check(model, examples)
        opened = require_open(model, self.needs)
        pairs = self.own_examples(model, examples)
        lessons = self._lessons(model, pairs, sham)
        train, held = divided(lessons, DEV, seed)
        rows = of_answers(opened, [(one.prompt, one.answer) for one in train])
        number = round(self.replay / (1 - self.replay) * len(rows))
        replay = of_texts(opened, general(model, number, seed), seed=seed)
        of_held = of_answers(opened, [(one.prompt, one.answer) for one in held])
        dev = partial(_held_out, rows=of_held, batch=self.batch) if of_held else None
        plan = Course(self.train, self.epochs, self.batch, self._rate(opened), seed, dev)
        taught = partial(_terms, rows=rows, replay=replay, kl=self.kl)
        tuned = tune(opened, len(rows) + len(replay), taught, plan)
        details = {
            "form": self._form(model),
            "pairs": len(train),
            "held_out": len(held),
            "left_out": len(pairs) - len(lessons),
            "replayed": len(replay),
        }
        return tuned.proven(model, spec_of("crows_tuning", self), plan, examples, details)

    def _form(self, model: Model) -> Form:
        if self.form == "auto":
            return "rewrite" if model.spec.family == "seq2seq" else "gap"
        return self.form

    def _rate(self, model: OpenModel) -> float:
        from evenhand.training.finetune import Recipe, learning_rate

        times = 10 if model.spec.family == "seq2seq" and self.lr is None else 1
        return times * learning_rate(Recipe(self.lr), model)

    def _lessons(self, model: Model, pairs: Sequence[PairExample], sham: int | None) -> list[Lesson]:
        from evenhand.training.sham_losses import signs

        drawn = [1.0] * len(pairs) if sham is None else signs(pairs, sham)
        form = self._form(model)
        made = [
            lesson(pair, form, self.instruction, turned=sign < 0)
            for pair, sign in zip(pairs, drawn, strict=True)
        ]
        found = [one for one in made if one is not None]
        if not found:
            raise BadData(
                f"None of the {len(pairs)} pairs differs in words that could be blanks.",
                mend="Write form=rewrite.",
            )
        return found


def _held_out(model: OpenModel, *, rows: Sequence[Row], batch: int) -> float:
    """The mean ``-ln P`` a token of the held-out answers."""
    import torch

    from evenhand.training.taught import token_logs

    with torch.no_grad():
        parts = [token_logs(model, rows[i : i + batch]) for i in range(0, len(rows), batch)]
    return float(-torch.cat(parts).mean())


def _terms(
    model: OpenModel, base: OpenModel, *, rows: Sequence[Row], replay: Sequence[Row], kl: float
) -> Sequence[Mean]:
    """-ln P a token of the rows; of the replayed ones, numbered behind them, as well or `kl` times KL."""
    import torch

    from evenhand.training import objectives
    from evenhand.training.language import Modelled, rows_loss, tokens
    from evenhand.training.means import Mean
    from evenhand.training.taught import predictions

    if not kl:
        return Modelled([*rows, *replay])(model, base)
    kept: list[Any] = []
    with torch.no_grad():
        for row in replay:
            kept.append(predictions(base, [row])[0].log_softmax(-1))  # [positions, V]

    def moved(chosen: Tensor) -> Tensor:
        general = (chosen - len(rows)).tolist()
        now = predictions(model, [replay[i] for i in general])[0].log_softmax(-1)
        return kl * objectives.kl(torch.cat([kept[i] for i in general]), now)

    own, others = tokens(rows), tokens(replay)
    return (
        Mean(rows_loss(model, rows), torch.cat([own, torch.zeros_like(others)])),
        Mean(moved, torch.cat([torch.zeros_like(own), others])),
    )


component = CrowsTuning
