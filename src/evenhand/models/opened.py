"""The common part of all model families with accessible weights: module, tokenizer, spec and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from evenhand.architectures import kind_of, row_of
from evenhand.architectures.checking import check_positions, misfit
from evenhand.errors import BadModel, UsageError
from evenhand.models import described, placing, quantised
from evenhand.models.digests import model_digest, settings_digest
from evenhand.models.layout import Layout
from evenhand.models.precision import dtype_name
from evenhand.models.together import Named, team
from evenhand.records import Ability, ModelSpec, Request, Response
from evenhand.scoring.kept import forget
from evenhand.scoring.offloaded import in_parts, input_device, is_offloaded
from evenhand.scoring.runners import answer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH_TOKENS = {"cpu": 2048, "cuda": 16384}


class Opened:
    """A module and its tokenizer; the module is put into evaluation mode.

    `uri` is the string that names the model, `revision` the requested hub revision. `batch_tokens` limits a
    batch, by default 2048 tokens on a CPU and 16384 on a GPU. `spec.digest` is computed when the model is
    made; `refresh` computes it again. `layout` defaults to the row of the architecture table.
    """

    family: ClassVar[str]
    instead: ClassVar[str]  # what to do about a request that the family cannot answer
    can: frozenset[Ability]
    opening: tuple[str, ...] = ()  # notes on how it was opened
    named: Named | None = None  # how another process opens the same; None for one made in another way
    scorer: Any = None  # of the families with a head
    _given: Layout | None = None

    def __init__(
        self,
        module: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        uri: str,
        *,
        revision: str | None = None,
        layout: Layout | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        check_positions(module)
        row = row_of(kind_of(module))
        self._misfit = misfit(module, row) if row.blocks and layout is None else None
        self._layout = self._given = layout
        self.module = module.eval()
        self.tokenizer = tokenizer
        device = input_device(module)
        self.batch_tokens = batch_tokens or BATCH_TOKENS.get(device.type, 2048)
        if is_offloaded(module) or quantised.stated(getattr(module, "config", None)) is not None:
            self.can = self.can - {Ability.GRADIENTS, Ability.WEIGHTS}
        if in_parts(module):  # what one process does with the module by itself would wait for the others
            self.can = self.can - {Ability.GRADIENTS, Ability.WEIGHTS, Ability.HIDDEN}
        self.spec = ModelSpec(
            uri=uri,
            digest="",
            family=self.family,
            revision=revision,
            dtype=dtype_name(module),
            architecture=kind_of(module),
            parameters=sum(p.numel() for p in module.parameters()),
            origin=quantised.origin(getattr(module, "config", None)),
            device=placing.said(module) or _name_of(device),
        )
        self.refresh()

    @property
    def layout(self) -> Layout:
        """The sites of the architecture; a model without a layout can still be scored.

        Raises:
            BadModel: the architecture is unknown, or the model does not fit its row.
        """
        self._layout = self._layout or Layout(self.module)
        return self._layout

    @layout.setter
    def layout(self, layout: Layout) -> None:
        self._layout = self._given = layout

    def refresh(self, uri: str | None = None) -> None:
        """Compute the digest of the current weights and free what was kept of older ones; rename the model if
        `uri` is given. Unless a layout was given, the blocks are found again: some may be other ones.
        """
        forget(self.module)
        self._layout = self._given
        digest = model_digest(self.module, self.tokenizer)
        settings = settings_digest(self.module, self.tokenizer)
        self.spec = replace(self.spec, digest=digest, settings=settings, uri=uri or self.spec.uri)

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """The answers to requests of any kinds, in order; `evenhand.scoring.runners` has a runner per kind.

        Raises:
            UsageError: they are no list of requests.
            BadModel: the family cannot answer one of them.
            EvenhandError: as for the runners; with several processes also as for `Team.answer`.
        """
        if not isinstance(requests, Sequence) or not all(hasattr(one, "needs") for one in requests):
            raise UsageError(
                f"{requests!r} is no list of requests.",
                mend='Write a list of them, such as [Continuation("The nurse said that", " she")].',
            )
        for need in sorted({request.needs for request in requests} - self.can):
            raise BadModel(f"{self.spec.uri} is {described(self.spec)}: it {need.lacks}.", mend=self.instead)
        others = team()
        return self.answer_alone(requests) if others is None else others.answer(self, requests)

    def answer_alone(self, requests: Sequence[Request]) -> list[Response]:
        """As `answer`, for requests that it can answer, by this process whatever others there are."""
        return answer(self, requests)

    def account(self) -> Any:
        """What the scorer counted in its newest call, None for a model without one."""
        return None if self.scorer is None else self.scorer.account()

    def take_over(self, accounts: Sequence[Any]) -> None:
        """Let the scorer report the sum of what was counted for shares of one call."""
        self.scorer.take_over(accounts)

    def notes(self) -> tuple[str, ...]:
        """Notes on how it was opened and on the precision of products; usually empty."""
        precision = torch.get_float32_matmul_precision()
        if precision == "highest":
            return self.opening
        return (
            *self.opening,
            f"torch rounds float32 products (precision {precision!r}): expect errors near 0.03.",
        )


def _name_of(device: torch.device) -> str:
    """The device for people: ``cpu``, or a graphics card with its model's name."""
    return f"{device.type} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
