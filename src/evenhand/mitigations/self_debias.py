"""Self-debiasing: damp what the model finds likelier once it is asked for the bias (Schick et al. 2021).

No weight changes. Every next-token distribution p becomes p' in proportion to alpha p, where

    alpha = max(exp(-lam max(p_b - p, 0)), floor),    p_b under a text that asks for the bias

(eq. 3 and 4 there, and the form of bias-bench: lam 50, floor .01, the elementwise maximum of p_b over several
texts). It holds in scoring and in generation alike. Faults of bias-bench's code that are not copied: it
assumes the length of each text in GPT-2's tokens, and misspells "orientiation" in one of them.

It needs a model that understands such a text. One that does not (a small one, the lab's) may answer anything
after it, and then p_b - p is noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from evenhand.errors import BadData, BadModel, BadOption
from evenhand.mitigations._shams import Sham, neutral
from evenhand.records import EVERY_KIND, Ability, Attribution, Kinds, TrainingExample
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers
from evenhand.training.parameters import require_open

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.scoring.reweighted import Reweighting
    from evenhand.treatments import Treatment

PREFIX = "The following text discriminates against people because of their gender:"
CONTEXTS = 64  # of the examples, on which a sham is made as large as the treatment
STRONGEST = 1e4


@dataclass(frozen=True)
class SelfDebias:
    """Reweight every next token by what the model expects after a text that asks for the bias.

    Attributes:
        prefix: the text; several are separated by ``|``. A line break follows each.
        lam: how strongly a rise in probability counts; the published 50.
        floor: the least factor; the published 0.01.
    """

    prefix: str = PREFIX
    lam: float = 50.0
    floor: float = 0.01

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.LOGPROBS, Ability.WEIGHTS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = EVERY_KIND

    def __post_init__(self) -> None:
        check_numbers("self_debias", self, positive=("lam", "floor"))
        if self.floor > 1:
            raise BadOption(f"floor={self.floor} is above 1.", mend="Write a number from above 0 to 1.")
        if not self._texts():
            raise BadOption("prefix is empty.", mend="Write the text that asks for the bias.")

    def check(self, model: Model | None, examples: Sequence[TrainingExample]) -> None:
        """Refuse a model whose next-token distributions cannot be read beside each other.

        Raises:
            BadModel: it gives no weights, is not causal, or keeps a state from token to token.
        """
        from evenhand.architectures import is_recurrent

        if model is not None:
            opened = require_open(model, self.needs)
            if model.spec.family != "causal":
                raise BadModel(
                    f"{model.spec.uri} is a {model.spec.family} model, and self_debias reweights the next "
                    "token of a causal one.",
                    mend="Use a causal model, or `--with prompt`.",
                )
            if is_recurrent(getattr(opened.module, "config", None)):
                raise BadModel(
                    f"{model.spec.uri} keeps a state from token to token, so that a prompt and its copies "
                    "cannot be read side by side.",
                    mend="Use a transformer, or `--with prompt`.",
                )

    def fit(
        self, model: Model, examples: Sequence[TrainingExample], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Nothing is learnt; the examples are only used to check that the texts have an effect.

        Raises:
            BadData: the texts do not fit into the model's window with a prompt.
            BadModel: as for `check`.
            NoEffect: no answer changed.
        """
        self.check(model, examples)
        return self._made(model, examples, seed, self._how(), {})

    def sham(self, *, seed: int) -> Sham:
        """A neutral text in place of each, and lam so that the examples' next words move as far."""
        return Sham(spec_of("self_debias", self), self, seed, partial(self._sham, seed))

    def _sham(
        self,
        sham: int,
        model: Model,
        examples: Sequence[TrainingExample],
        sites: Attribution | None,
        seed: int,
    ) -> Treatment:
        self.check(model, examples)
        own = self._how()
        texts = [neutral(len(t.split()), sham + i) + "\n" for i, t in enumerate(self._texts())]
        opened = require_open(model, self.needs)
        contexts = sorted({c for e in examples for r in e.requests() if (c := r.context)})[:CONTEXTS]
        if not contexts:
            raise BadData(
                "The examples have no prompts on which a sham could be made as large as the treatment.",
                mend="Give prompts that groups' terms may follow.",
            )
        lam, reached, wanted = _equal(opened, contexts, own, tuple(texts))
        from evenhand.scoring.reweighted import Reweighting

        how = Reweighting(tuple(texts), lam, own.floor)
        sizes = {"kl": reached, "kl_of_treatment": wanted}
        return self._made(model, examples, seed, how, sizes)

    def _made(
        self,
        model: Model,
        examples: Sequence[TrainingExample],
        seed: int,
        how: Reweighting,
        more: dict[str, Any],
    ) -> Treatment:
        from evenhand.treatments import About, proven
        from evenhand.treatments.decoding import DecodingTreatment

        details = {"prefixes": list(how.prefixes), "lam": how.lam, "floor": how.floor, **more}
        about = About(spec_of("self_debias", self), model.spec.digest, seed, details)
        treatment: Treatment = proven(model, DecodingTreatment(about, how), examples)
        return treatment

    def _how(self) -> Reweighting:
        from evenhand.scoring.reweighted import Reweighting

        return Reweighting(tuple(f"{text}\n" for text in self._texts()), self.lam, self.floor)

    def _texts(self) -> list[str]:
        return [text.strip() for text in self.prefix.split("|") if text.strip()]


def _equal(
    model: OpenModel, contexts: Sequence[str], own: Reweighting, texts: tuple[str, ...]
) -> tuple[float, float, float]:
    """The lam for which `texts` move the next words as far as `own`, what they reach, and what is wanted.

    How far is the mean KL(p || p') over `contexts` in nats. It rises with lam and ends where every factor is
    at the floor: then the largest lam is taken.
    """
    import dataclasses

    from evenhand.scoring.distributions import divergence
    from evenhand.scoring.reweighted import pairs_in_blocks, reweighted

    runs: Any = model

    def moved(how: Reweighting, lam: float, blocks: Sequence[Any]) -> float:
        found = [divergence(t[0], reweighted(t[0], t[1:], lam, how.floor)) for _, t in blocks]
        return float(sum(float(one.sum()) for one in found) / len(contexts))

    wanted = moved(own, own.lam, list(pairs_in_blocks(runs, contexts, own)))
    how = dataclasses.replace(own, prefixes=texts)
    blocks = list(pairs_in_blocks(runs, contexts, how))
    low, high = math.log(1e-3), math.log(STRONGEST)
    if moved(how, STRONGEST, blocks) > wanted:
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (low, middle) if moved(how, math.exp(middle), blocks) > wanted else (middle, high)
    lam = math.exp(high)
    return lam, moved(how, lam, blocks), wanted


component = SelfDebias
