"""Conditional likelihood with an encoder and a decoder: each source is encoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evenhand.scoring.batching import in_batches
from evenhand.scoring.finite import not_finite
from evenhand.scoring.forward import SelectedHead, evaluating, pad_rows
from evenhand.scoring.plan import Plan, Row, make_plan
from evenhand.scoring.tokens import Encoded

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    """Ask for the log-probability of the decoder's ids from `target.start` on, given the `source` ids."""

    source: Ids
    target: Encoded


@dataclass(frozen=True, slots=True)
class Counts:
    """What a call of `conditional` ran: rows through the encoder, rows through the decoder."""

    encoded: int = 0
    decoded: int = 0


@torch.no_grad()
def conditional(
    module: nn.Module, requests: Sequence[Conditional], *, batch_tokens: int = 2048
) -> tuple[list[float], Counts]:
    """The log-probability in nats of each request, in order, and what was run.

    The encoder runs once a source and its states are expanded to the decoder rows that need them; decoder
    rows share what they have in common as in `make_plan`.

    Raises:
        BadModel: the model answers with NaN or an infinity.
        OutOfMemory: one row alone does not fit.
    """
    members: dict[Ids, list[int]] = {}
    for i, request in enumerate(requests):
        members.setdefault(request.source, []).append(i)
    sources = list(members)
    plans = [make_plan([requests[i].target for i in members[source]]) for source in sources]
    sums: dict[int, float] = {}
    run = _Run(module, batch_tokens)

    def work(batch: list[int]) -> None:
        states, mask = run.encode([sources[k] for k in batch])
        for k, values in zip(batch, run.decode([plans[k] for k in batch], states, mask), strict=True):
            for i, slots in zip(members[sources[k]], plans[k].slots, strict=True):
                sums[i] = float(values[list(slots)].sum())

    with evaluating(module), SelectedHead(module) as head:
        run.head = head
        in_batches([len(source) for source in sources], batch_tokens, work, label="scoring")
    return [sums[i] for i in range(len(requests))], Counts(run.encoded, run.decoded)


class _Run:
    """One call's passes through the two halves of `module`."""

    head: SelectedHead

    def __init__(self, module: Any, batch_tokens: int) -> None:
        self._module = module
        self._encoder = module.get_encoder()
        self._budget = batch_tokens
        self._device = next(module.parameters()).device
        self.encoded = self.decoded = 0

    def encode(self, sources: Sequence[Ids]) -> tuple[Tensor, Tensor]:
        """The encoder's last hidden states [S, tokens, d] and the mask [S, tokens] of padded `sources`."""
        inputs = pad_rows(sources, "right", self._device)
        self.encoded += len(sources)
        given = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
        return self._encoder(**given, return_dict=True).last_hidden_state, inputs["attention_mask"]

    def decode(self, plans: Sequence[Plan], states: Tensor, mask: Tensor) -> list[NDArray[np.float64]]:
        """The answers of each plan, whose source is the row of `states` with its number."""
        values = [np.empty(plan.size) for plan in plans]
        rows = [(k, row) for k, plan in enumerate(plans) for row in plan.rows]
        width = int(mask.shape[1])

        def work(batch: list[int]) -> None:
            chosen = [rows[j] for j in batch]
            for (k, row), found in zip(chosen, self._decode(chosen, states, mask), strict=True):
                values[k][row.slot : row.slot + len(row.wanted)] = found

        # A decoder row pays for its own tokens and, in the attention across, for its source.
        self._budget = in_batches([len(row.ids) + width for _, row in rows], self._budget, work)
        return values

    def _decode(
        self, rows: Sequence[tuple[int, Row]], states: Tensor, mask: Tensor
    ) -> list[NDArray[np.float64]]:
        from transformers.modeling_outputs import BaseModelOutput

        source = torch.tensor([k for k, _ in rows], device=self._device)
        flat = [(i, *pair) for i, (_, row) in enumerate(rows) for pair in row.wanted]
        places, positions, targets = torch.tensor(flat, device=self._device).T
        self.head.select(places, positions)
        given: Mapping[str, Any] = {
            "encoder_outputs": BaseModelOutput(last_hidden_state=states[source]),
            "attention_mask": mask[source],
            "decoder_input_ids": pad_rows([row.ids for _, row in rows], "right", self._device)["input_ids"],
        }
        logits = self._module(**given, use_cache=False, return_dict=True).logits[0]
        logits = logits if logits.dtype == torch.float64 else logits.float()
        found = logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(-1)
        self.decoded += len(rows)
        numbers = found.double().cpu().numpy()
        if not np.isfinite(numbers).all():
            raise not_finite(self._module, "")
        return np.split(numbers, np.cumsum([len(row.wanted) for _, row in rows])[:-1])
