"""FairCon: adversarial contrastive fine-tuning of decisions about people, as the paper (Gaudi 2024) has it.

An adversary searches for the prefix that makes the model treat a person and the counterfactual twin most
differently; the model is fine-tuned (LoRA on query and value) to decide correctly *and* equally with that
prefix and without it. `evenhand.mitigations._adversarial.training` holds the loop and lists where the public
code departs from the paper. The result is a change of weights; the adapter itself is saved with it, for peft.

Defaults are the paper's (10 rounds, rank 4, alpha 16, dropout 0.01, AdamW 5e-4, a prefix of 10 tokens with
Adam 0.1), but for these: two adversaries instead of one, distance on the label words' log-odds instead of
all logits, gradients averaged over batches of 16 instead of summed over nine people.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.mitigations._shams import Sham
from evenhand.records import Ability, Attribution, Kinds, PersonExample, digest, to_json
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.mitigations._adversarial.choosing import Choice
    from evenhand.mitigations._adversarial.panel import Panel
    from evenhand.mitigations._adversarial.training import Settings, Trainer
    from evenhand.models import Model, OpenModel
    from evenhand.models.stage import Stage
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class FairCon:
    """Fine-tune so that no prefix makes the model treat twins differently.

    Attributes:
        lam: weight of the distance relative to the task loss, such as 0.1, 1 or 10; 0 is plain LoRA
            fine-tuning.
        distance: ``log_odds`` of the label words, ``jensen_shannon`` on them, or ``vocabulary`` (all logits).
        rounds: rounds of training, first the adversaries, then the model.
        attacks: passes over the people of each adversary in each round.
        adversaries: how many prefixes are trained.
        length, prompt_lr: tokens of a prefix, and Adam's learning rate for it.
        batch, lr: people in a step, and the model's learning rate.
        average: of the adapter's weights over the second half of the rounds: ``swa``, ``ema`` or ``none``.
        rank, alpha, dropout: of the adapter.
        tolerance: accuracy on held-out people that a fairer round may cost (0.01 is one point).
        resume: folder for a checkpoint after every round; the same fit with this folder continues from it.
    """

    lam: float = 1.0
    distance: Literal["log_odds", "jensen_shannon", "vocabulary"] = "log_odds"
    rounds: int = 10
    attacks: int = 1
    adversaries: int = 2
    length: int = 10
    prompt_lr: float = 0.1
    batch: int = 16
    lr: float = 5e-4
    average: Literal["swa", "ema", "none"] = "swa"
    rank: int = 4
    alpha: int = 16
    dropout: float = 0.01
    tolerance: float = 0.01
    resume: str = field(default="", repr=False)

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (PersonExample,)

    def __post_init__(self) -> None:
        check_numbers(
            "faircon",
            self,
            whole=("rounds", "attacks", "adversaries", "length", "batch", "rank"),
            from_zero=("lam", "lr", "prompt_lr", "tolerance"),
            shares=("dropout",),
        )

    def check(self, model: Model | None, examples: Sequence[PersonExample]) -> None:
        """Refuse people that the model cannot be trained on, and a model without known projections.

        Raises:
            BadData, BadModel: as for `fit`.
        """
        if model is not None:
            from evenhand.training.lora import projections

            opened = require_open(model, self.needs)
            self._panels(opened, examples)
            projections(opened)

    def _panels(self, model: OpenModel, examples: Sequence[PersonExample]) -> tuple[Panel, Panel | None]:
        """The people to train on, and those held out if there are any, as the model reads them."""
        from evenhand.mitigations._adversarial.panel import Panel

        length = self.length if self.lam else 0
        people, held = ([e for e in examples if e.part == part] for part in ("train", "dev"))
        return Panel(model, people, length=length), Panel(model, held, length=length) if held else None

    def stages(self, model: OpenModel, examples: Sequence[PersonExample]) -> tuple[Stage, ...]:
        """What `fit` takes: twins with and without a prefix in one step, and a look at 64 people at once.

        Raises:
            BadModel: as for `check`.
        """
        from evenhand.mitigations._adversarial.sizes import stages_of

        return stages_of(model, examples, self.settings())

    def fit(
        self, model: Model, examples: Sequence[PersonExample], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Train on the people of part ``train``, stop on those of part ``dev``; the model keeps its weights.

        Raises:
            BadData: no people to train on, people of different tasks, or prompts that do not fit the window.
            BadModel: the model gives no gradients, has no known projection, or the loss is not finite.
            NoEffect: no answer changed.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The same training in which a person's twins are drawn together or apart, at random for each person.

        Its last round is kept: choosing the fairest one would be a signal.
        """
        alone = dataclasses.replace(self, resume="")
        return Sham(spec_of("faircon", self), self, seed, partial(alone._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[PersonExample],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        from evenhand.mitigations._adversarial.choosing import choose, last, report
        from evenhand.mitigations._adversarial.training import Trainer
        from evenhand.training.lora import LoraTreatment, adapted
        from evenhand.treatments import About, proven

        opened = require_open(model, self.needs)
        settings = self.settings()
        panels = self._panels(opened, examples)
        with adapted(opened, settings.lora, seed=seed) as adapter:
            trainer = Trainer(opened, adapter, panels, settings, seed)
            if sham is not None:
                trainer.draw_signs(sham)
            trainer.run(self._folder(opened, examples, seed))
            choice = choose(trainer, adapter, self.tolerance) if sham is None else last(trainer, adapter)
            judged = (panels[1] or panels[0]).people
            details = self._details(trainer, choice) | report(opened, trainer, judged)
            details["projections"] = list(adapter.layers)
            details["trained_weights"] = sum(p.numel() for p in adapter.parameters.values())
            weights, own, config = adapter.merged(), adapter.values(), adapter.config
        about = About(spec_of("faircon", self), model.spec.digest, seed, details)
        treatment: Treatment = proven(model, LoraTreatment(about, weights, own, config), examples)
        return treatment

    def settings(self) -> Settings:
        """The options as the training loop takes them."""
        from evenhand.mitigations._adversarial.adversary import PrefixSettings
        from evenhand.mitigations._adversarial.training import Settings
        from evenhand.training.lora import LoraSettings

        return Settings(
            lam=self.lam,
            distance=self.distance,
            rounds=self.rounds,
            attacks=self.attacks,
            adversaries=self.adversaries,
            batch=self.batch,
            lr=self.lr,
            average=self.average,
            prefix=PrefixSettings(self.length, self.prompt_lr),
            lora=LoraSettings(self.rank, self.alpha, self.dropout),
        )

    def _folder(self, model: OpenModel, examples: Sequence[PersonExample], seed: int) -> Path | None:
        if not self.resume:
            return None
        key = digest(spec_of("faircon", self), model.spec.digest, seed, [to_json(e) for e in examples])
        return Path(self.resume).expanduser() / f"faircon-{key[:16]}"

    def _details(self, trainer: Trainer, choice: Choice) -> dict[str, Any]:
        from evenhand.mitigations._adversarial.training import summary

        done = trainer.trained
        history = summary(done.history)
        distances = history.pop("dev_distances", [])
        return {
            "lr": self.lr,  # these three are the settings that the control plain_text copies
            "epochs": self.rounds,
            "batch": self.batch,
            "people": len(trainer.panel),
            "held_out": len(trainer.dev) if trainer.dev else 0,
            "kept_round": choice.round + 1,
            "rule": choice.rule,
            "worst_by_round": list(choice.worst),
            "average_distance": done.apart[choice.round],
            **history,
            "dev_distance": [values[0] if values else None for values in distances],
            "dev_worst_own": [max(values) if values else None for values in distances],
        }


component = FairCon
