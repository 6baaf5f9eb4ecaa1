"""Language modelling of text without the groups' words, in the parameters that a treatment changes.

The same number of steps, at the same rate, on texts that say nothing about any group: what such tuning does
to a bias score by itself (control family b). The change is scaled by the dose.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from evenhand.controls import Ladder
from evenhand.controls._parameters import Placed, touched
from evenhand.lab.facts import neutral_sentences
from evenhand.lexicons import plain
from evenhand.records import EVERY_KIND, Ability, Example, Kinds, TrainingExample
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.models import OpenModel
    from evenhand.treatments import Treatment

RECIPE = ("lr", "epochs", "batch")  # the settings that it copies from a treatment that was trained


@dataclass(frozen=True)
class PlainText(Placed):
    """Tune on plain text.

    The built-in sentences, or for a model of the lab those of its language that it was trained on: never
    those of ``perplexity``. A sentence with a term of the examples is left out.

    Attributes:
        dose: multiplies the change of the weights; above 0.
        blocks: block numbers joined by ``+``; empty means the blocks that the compared treatment changes;
            without a treatment, the located block, or all parameters if there is none.
        lr, epochs, batch: as in LFTF; those of the compared treatment, if that was trained.
    """

    dose: float = 1.0
    blocks: str = ""
    lr: float | None = None
    epochs: int = 2
    batch: int = 32

    ladder: ClassVar[Ladder] = Ladder("b", start=0.1, lowest=0.005, highest=50.0, scaled=True)
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = True
    fits_on: ClassVar[Kinds] = EVERY_KIND

    def __post_init__(self) -> None:
        check_numbers("plain_text", self, whole=("epochs", "batch"), positive=("dose",), from_zero=("lr",))

    def beside(self, treatment: Treatment, dose: float) -> Self:
        """The same control at `dose`, with the learning rate, epochs and batch of a trained treatment."""
        details = treatment.about.details
        same = {key: details[key] for key in RECIPE if key in details}
        return dataclasses.replace(self, dose=dose, **same)

    def parameters(self, model: OpenModel, treatment: Treatment, *, seed: int) -> tuple[str, ...]:
        """The parameters of `blocks`, else those that the treatment changes, else all.

        Empty for a model that neither reads from left to right nor fills gaps in a text.
        """
        from evenhand.scoring.asking import learns

        return touched(model, treatment, self.blocks) if learns(model) else ()

    def damage(
        self,
        model: OpenModel,
        treatment: Treatment,
        dose: float,
        *,
        examples: Sequence[TrainingExample],
        seed: int,
    ) -> Treatment:
        """Train on as many sentences as there are examples to train on, drawn with `seed`, and scale.

        Raises:
            BadModel: the model gives no weights, or the loss is not finite.
            NoEffect: no answer changed.
        """
        from evenhand.training.finetune import Recipe, course, learning_rate
        from evenhand.training.fitting import Fit, Named
        from evenhand.training.language import Modelled
        from evenhand.training.loop import shuffled
        from evenhand.training.sharded import fitted
        from evenhand.training.taught import of_texts
        from evenhand.treatments import About, proven, scaled
        from evenhand.treatments.weights import WeightTreatment

        opened, dosed = require_open(model, self.needs), self.beside(treatment, dose)
        names, spec = dosed.parameters(opened, treatment, seed=seed), spec_of("plain_text", dosed)
        number = len([e for e in examples if not e.keep])
        texts = sentences(opened, examples, number, seed)
        lr = learning_rate(Recipe(dosed.lr), opened)
        batches = shuffled(len(texts), dosed.batch, epochs=dosed.epochs, seed=seed)
        taught = Modelled(of_texts(opened, texts, seed=seed))
        found = fitted(opened, Fit(Named(tuple(names)), taught, batches, lr))
        details = {
            **course(lr, found.history),
            "sentences": len(texts),
        }
        made = WeightTreatment(About(spec, opened.spec.digest, seed, details), found.values)
        proved: Treatment = proven(opened, scaled(made, opened, dose), examples)
        return proved


def sentences(
    model: OpenModel, examples: Sequence[TrainingExample], number: int, seed: int
) -> tuple[str, ...]:
    """As many sentences as `number`, drawn with `seed`: each once before any comes twice."""
    lab = model.spec.uri.startswith("lab:")
    terms = {form.strip().lower() for e in examples if isinstance(e, Example) for t in e.terms for form in t}
    every = neutral_sentences("train") if lab else plain()
    pool = [text for text in every if not terms & set(re.findall(r"\w+", text.lower()))]
    chance = random.Random(seed)
    drawn: list[str] = []
    while len(drawn) < number:
        drawn += chance.sample(pool, min(len(pool), number - len(drawn)))
    return tuple(drawn)


component = PlainText
