"""Treatments of decoding: the same weights, and another choice of the next token (self-debiasing).

The treated model scores and writes with reweighted next-token distributions; see
`evenhand.scoring.reweighted`. It has no other abilities: what reads weights, hidden states or masked words
would read the model without the treatment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from evenhand.errors import BadModel
from evenhand.folders import replace_folder
from evenhand.models import Model, OpenModel, gives_weights
from evenhand.records import Ability, Continuation, Generation, Request, Response, answer_in_groups, digest
from evenhand.scoring import reweighted as scored
from evenhand.scoring.reweighted import Reweighting
from evenhand.scoring.runners.generation import generate
from evenhand.treatments._base import (
    CARD,
    KIND,
    About,
    Kind,
    Treatment,
    Weightless,
    check_base,
    damaged,
    treated_spec,
    write_card,
)


@dataclass(frozen=True)
class DecodingTreatment(Weightless):
    """Texts that ask for the bias, and how strongly what they make likelier is damped; no weight changes."""

    about: About
    reweighting: Reweighting

    @property
    def digest(self) -> str:
        """SHA-256 of the texts and the two numbers."""
        own = self.reweighting
        return digest("decoding", list(own.prefixes), own.lam, own.floor)

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """A view of the model that reweights what comes next.

        Raises:
            BadModel: the model is not causal or gives no weights, or the treatment was fitted to another one.
        """
        if not gives_weights(model) or model.spec.family != "causal":
            raise BadModel(
                f"{model.spec.uri} does not give the probabilities of all next tokens.",
                mend="Use a causal model with access to its weights (hf: or lab:), or `--with prompt`.",
            )
        check_base(self.about, model.spec)
        yield ReweightedModel(model, self)

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json``, which holds everything."""
        own = self.reweighting
        values = {"prefixes": list(own.prefixes), "lam": own.lam, "floor": own.floor, "digest": self.digest}
        with replace_folder(folder, kind=KIND) as temporary:
            write_card(temporary, "decoding", self.about, values)


class ReweightedModel:
    """A view of a causal model whose next-token distributions are reweighted; `reweighted` is the model."""

    def __init__(self, model: OpenModel, treatment: DecodingTreatment) -> None:
        self.spec = treated_spec(model.spec, treatment)
        self.can = model.can & {Ability.LOGPROBS, Ability.GENERATE}
        self.reweighted = model
        self._how = treatment.reweighting

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Log-probabilities and text under the reweighted distributions, in order.

        Raises:
            BadModel: another kind of request, or a message in a chat template.
            EvenhandError: as for `evenhand.scoring.reweighted` and generation.
        """
        for one in requests:
            if not isinstance(one, Continuation | Generation) or getattr(one, "chat", False):
                raise BadModel(
                    f"{self.spec.uri} reweights what comes next after a plain prompt, and therefore "
                    + ("takes no chat messages." if isinstance(one, Generation) else f"{one.needs.lacks}."),
                    mend="Ask for log-probabilities, or for text after a plain prompt.",
                )
        return answer_in_groups(requests, lambda one: getattr(one, "sampling", None), self._run)

    def _run(self, sampling: Any, group: list[Request]) -> Sequence[Response]:
        model: Any = self.reweighted
        if sampling is None:
            items = [one for one in group if isinstance(one, Continuation)]
            return scored.logprobs(model, items, self._how)
        prompts = [one.prompt for one in group if isinstance(one, Generation)]
        return generate(model, prompts, sampling, steered=self._how)

    def in_blocks(self, contexts: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
        """The log-probabilities of the next token after each context, block by block."""
        model: Any = self.reweighted
        return scored.in_blocks(model, contexts, self._how)

    def notes(self) -> tuple[str, ...]:
        """None: nothing is padded, or kept from one answer to the next."""
        return ()


def _load(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    try:
        own = Reweighting(tuple(map(str, card["prefixes"])), float(card["lam"]), float(card["floor"]))
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(folder, f"{CARD}: {error}") from None
    treatment = DecodingTreatment(about, own)
    if treatment.digest != card.get("digest"):
        raise damaged(folder, f"{CARD} does not have the digest that it states")
    return treatment


component = Kind(DecodingTreatment, _load)
