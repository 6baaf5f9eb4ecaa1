"""PB: an instruction in front of every prompt, no training (the prompt baseline of Qin et al. 2025).

The paper does not publish its text; the default here is ours. Text and prompt are tokenised as one
string. It only changes prompts, so it also works on a model behind an endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from evenhand.mitigations._shams import Sham, neutral
from evenhand.records import EVERY_KIND, Ability, Attribution, Kinds, TrainingExample
from evenhand.registry import spec_of

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment

NEUTRAL = "People of every gender do every kind of work. Do not assume anyone's gender from what they do."


@dataclass(frozen=True)
class Prompt:
    """Put `text` in front of every prompt; the default asks not to assume anyone's gender."""

    text: str = NEUTRAL

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.LOGPROBS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = EVERY_KIND

    def fit(
        self, model: Model, examples: Sequence[TrainingExample], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Nothing is learnt; the examples are only used to check that the text has an effect.

        Raises:
            NoEffect: no answer changed.
        """
        return self._put(self.text, model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """A neutral text of as many words in its place; 14 seeds in a row have different texts."""
        put = partial(self._put, neutral(len(self.text.split()), seed))
        return Sham(spec_of("prompt", self), self, seed, put)

    def _put(
        self,
        text: str,
        model: Model,
        examples: Sequence[TrainingExample],
        sites: Attribution | None,
        seed: int,
    ) -> Treatment:
        from evenhand.treatments import About, proven
        from evenhand.treatments.prompt import PromptTreatment

        about = About(spec_of("prompt", self), model.spec.digest, seed)
        treatment: Treatment = proven(model, PromptTreatment(about, text.strip()), examples)
        return treatment


component = Prompt
