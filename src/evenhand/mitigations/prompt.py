"""PB: an instruction in front of every prompt, no training (the prompt baseline of Qin et al. 2025).

The paper does not publish its text; the default here is ours. Text and prompt are tokenised as one
string. It only changes prompts, so it also works on a model behind an endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from evenhand.mitigations._shams import Sham
from evenhand.records import EVERY_KIND, Ability, Attribution, Kinds, TrainingExample
from evenhand.registry import spec_of

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment

NEUTRAL = "People of every gender do every kind of work. Do not assume anyone's gender from what they do."


# Of about the same length, and about nothing that a prompt asks for: what any text in front does.
SHAMS = (
    "The path along the river is open every day. It is a good place to walk when the weather is dry.",
    "Fresh bread keeps for about three days. It is best stored in a paper bag in a cool and dry place.",
    "Water boils at a lower temperature in the mountains. Rice and pasta take a little longer up there.",
    "The library has four floors and a small café. Books on history are kept on the second floor.",
    "Most trains to the coast leave on the hour. The fast ones stop only twice before the last station.",
    "Tomatoes need a lot of sun and some water. Plant them in spring when the nights are no longer cold.",
    "The old bridge is made of grey stone. It was closed last winter and has been open again since May.",
    "A sharp pencil draws a finer line than a blunt one. Soft pencils are darker and wear down faster.",
    "The lake is deep and stays cold in summer. In very hard winters it is covered with ice for weeks.",
    "This table has five columns and thirty rows. Each row gives the date, the place and the weight.",
    "Coffee is grown in warm and rainy places. The beans are dried in the sun before they are roasted.",
    "The museum shows maps and clocks from three centuries. Tickets are cheaper on the first Sunday.",
    "Salt melts the ice on roads and stairs. It works well unless the night is far below freezing.",
    "The tower can be seen from the whole plain. On clear days its roof shines in the evening light.",
)


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


def neutral(words: int, seed: int) -> str:
    """Neutral text of that many `words`, which begins with the text of that number."""
    found: list[str] = []
    while len(found) < words:
        found += SHAMS[seed % len(SHAMS)].split()
        seed += 1
    return " ".join(found[:words]).rstrip(".,") + "."


component = Prompt
