"""What the families beside the causal one share: a module with its tokenizer, its spec and its embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from evenhand.architectures import kind_of
from evenhand.architectures.checking import check_positions
from evenhand.models.causal import BATCH_TOKENS, model_digest
from evenhand.records import ModelSpec
from evenhand.scoring.hidden import embeddings

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase


class Opened:
    """A module and its tokenizer; the module is put into evaluation mode.

    `uri` is the string that names the model, `revision` the hub revision asked for. `batch_tokens` bounds a
    batch, by default 2048 tokens on a CPU and 16384 on a GPU. `spec.digest` is taken when the model is made;
    `refresh` takes it again.
    """

    family: ClassVar[str]
    opening: tuple[str, ...] = ()  # what there is to note of how it was opened

    def __init__(
        self,
        module: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        uri: str,
        *,
        revision: str | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        check_positions(module)
        self.module = module.eval()
        self.tokenizer = tokenizer
        first = next(module.parameters())
        self.batch_tokens = batch_tokens or BATCH_TOKENS.get(first.device.type, 2048)
        self.spec = ModelSpec(
            uri=uri,
            digest="",
            family=self.family,
            revision=revision,
            dtype=str(first.dtype).removeprefix("torch."),
            architecture=kind_of(module),
            parameters=sum(p.numel() for p in module.parameters()),
        )
        self.refresh()

    def refresh(self, uri: str | None = None) -> None:
        """Take the digest of the weights as they are now, under another name if `uri` is given."""
        digest = model_digest(self.module, self.tokenizer)
        self.spec = replace(self.spec, digest=digest, uri=uri or self.spec.uri)

    def hidden(self, texts: Sequence[str]) -> NDArray[float64]:
        """One vector a text, [N, d]; see `evenhand.scoring.hidden.embeddings` for the errors."""
        return embeddings(self.module, self.tokenizer, texts, batch_tokens=self.batch_tokens)

    def notes(self) -> tuple[str, ...]:
        """How it was opened, and what precision the products had, where there is something to note."""
        precision = torch.get_float32_matmul_precision()
        if precision == "highest":
            return self.opening
        return (
            *self.opening,
            f"torch rounds float32 products (precision {precision!r}): expect errors near 0.03.",
        )
