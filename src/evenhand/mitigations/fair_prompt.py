"""A search for a text in front of every prompt that makes a frozen model decide equally about twins.

FairCon, equation 4, with the task term that it lacks (see `evenhand.mitigations._adversarial.search`). The
result is plain text: it can be read, copied, and put in front of the prompts of any other model; `transfer`
of `evenhand.mitigations._adversarial.prompts` measures its effect there.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from evenhand.lexicons import plain
from evenhand.mitigations._shams import Sham
from evenhand.records import Ability, Attribution, Kinds, PersonExample
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.mitigations._adversarial.search import Aim
    from evenhand.models import Model
    from evenhand.treatments import Treatment

_GRADIENTS = frozenset({Ability.GRADIENTS, Ability.WEIGHTS})


@dataclass(frozen=True)
class FairPrompt:
    """Search for the text with the smallest distance plus `beta` times the task loss.

    Attributes:
        search: ``gumbel`` (gradients; needs the weights), ``score`` (log-probabilities only, so it works
            on endpoints), or ``auto``: the first where the model has gradients, else the second.
        beta: weight of the task loss, in nats, relative to the distance.
        distance: ``log_odds`` or ``jensen_shannon``, both on the label words.
        length: number of tokens (``gumbel``) or largest number of words (``score``) of the text.
        rounds, starts, batch, prompt_lr: for ``gumbel``: passes over the people, restarts, people in a step,
            Adam's learning rate.
        budget: for ``score``: how many texts are tried.
    """

    search: Literal["auto", "gumbel", "score"] = "auto"
    beta: float = 1.0
    distance: Literal["log_odds", "jensen_shannon"] = "log_odds"
    length: int = 10
    rounds: int = 20
    starts: int = 3
    batch: int = 16
    prompt_lr: float = 0.1
    budget: int = 100

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.LOGPROBS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (PersonExample,)

    def __post_init__(self) -> None:
        check_numbers(
            "fair_prompt",
            self,
            whole=("length", "rounds", "starts", "batch", "budget"),
            from_zero=("beta", "prompt_lr"),
        )

    def check(self, model: Model | None, examples: Sequence[PersonExample]) -> None:
        """Refuse people that cannot be decided on, and a search or a length that the model does not allow.

        Raises:
            BadData, BadModel: as for `fit`.
        """
        if model is not None:
            from evenhand.mitigations._adversarial.panel import Panel, check_people

            people = _searched(examples)
            check_people(people)
            if self._search(model) == "gumbel":
                Panel(require_open(model, _GRADIENTS), people, length=self.length)

    def fit(
        self, model: Model, examples: Sequence[PersonExample], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Search on the people of part ``train``; select on those of part ``dev`` (all, if there are none).

        Raises:
            BadData: there are no people, or prompts that do not fit into the window with the text.
            BadModel: ``search=gumbel`` without gradients.
            NoEffect: no answer changed.
        """
        from evenhand.mitigations._adversarial.panel import check_people
        from evenhand.mitigations._adversarial.search import Aim, judged
        from evenhand.treatments import About, proven
        from evenhand.treatments.prompt import PromptTreatment

        people = _searched(examples)
        check_people(people)
        held = [e for e in examples if e.part == "dev"] or people
        aim = Aim(self.beta, self.distance)
        search = self._search(model)
        texts, looked_at = self._proposals(model, people, aim, search, seed)
        found = judged(model, held, texts, aim, looked_at)
        details = {
            "search": search,
            "text": found.best.text,
            "aim": aim.of(found.best),
            "aim_without": aim.of(found.nothing),
            "held_out": found.best.figures(),
            "held_out_without": found.nothing.figures(),
            "looked_at": found.looked_at,
            "finalists": len(found.finalists),
        }
        about = About(spec_of("fair_prompt", self), model.spec.digest, seed, details)
        treatment: Treatment = proven(model, PromptTreatment(about, found.best.text), examples)
        return treatment

    def sham(self, *, seed: int) -> Sham:
        """No search: as many words as the search's `length`, drawn from neutral sentences."""
        return Sham(spec_of("fair_prompt", self), self, seed, partial(self._drawn, seed))

    def _drawn(
        self,
        sham: int,
        model: Model,
        examples: Sequence[PersonExample],
        sites: Attribution | None,
        seed: int,
    ) -> Treatment:
        from evenhand.treatments import About, proven
        from evenhand.treatments.prompt import PromptTreatment

        words = sorted({word.strip(".,").lower() for text in plain() for word in text.split()})
        chance = random.Random(sham)
        text = " ".join(chance.choice(words) for _ in range(self.length))
        about = About(spec_of("fair_prompt", self), model.spec.digest, seed, {"text": text})
        treatment: Treatment = proven(model, PromptTreatment(about, text), examples)
        return treatment

    def _search(self, model: Model) -> str:
        if self.search != "auto":
            return self.search
        able = model.can >= _GRADIENTS and model.spec.family == "causal"
        return "gumbel" if able else "score"

    def _proposals(
        self, model: Model, people: Sequence[PersonExample], aim: Aim, search: str, seed: int
    ) -> tuple[list[str], int]:
        from evenhand.mitigations._adversarial.adversary import PrefixSettings
        from evenhand.mitigations._adversarial.search import Course, by_gradient, by_score

        if search == "score":
            texts = by_score(model, people, aim, length=self.length, budget=self.budget, seed=seed)
            return texts, self.budget
        opened = require_open(model, _GRADIENTS)
        course = Course(self.rounds, self.batch, self.starts)
        texts = by_gradient(
            opened, people, aim, PrefixSettings(self.length, self.prompt_lr), course, seed=seed
        )
        return texts, len(texts)


def _searched(examples: Sequence[PersonExample]) -> Sequence[PersonExample]:
    """The people to search on: those of part ``train``, or all if there are none."""
    return [e for e in examples if e.part == "train"] or list(examples)


component = FairPrompt
