"""Conditional likelihood with an encoder and a decoder: each source is encoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evenhand.errors import BadModel
from evenhand.progress import task
from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.finite import check_finite
from evenhand.scoring.forward import SelectedHead, device_of, pad_rows, reading
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


def decoder_start(module: Any) -> int:
    """The id that begins every text of a decoder with an encoder.

    Raises:
        BadModel: the configuration does not say.
    """
    for name in ("decoder_start_token_id", "pad_token_id"):
        for config in (module.config, getattr(module, "generation_config", None)):
            value = getattr(config, name, None)
            if isinstance(value, int):
                return value
    raise BadModel(
        f"The configuration of {type(module).__name__} does not say with which token its decoder starts.",
        mend="Set decoder_start_token_id in config.json.",
    )


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
    plans = {source: make_plan([requests[i].target for i in of]) for source, of in members.items()}
    sums: dict[int, float] = {}
    with reading(module) as head, task("scoring", len(plans), unit="row") as advance:
        run = _Run(module, head, batch_tokens)

        def work(batch: Sequence[Ids]) -> list[NDArray[np.float64]]:
            states, mask = run.encode(batch)
            return run.decode([plans[source] for source in batch], states, mask)

        for batch, found in in_batches(plans, lambda ids: Load(len(ids)), Room(batch_tokens), work):
            for source, values in zip(batch, found, strict=True):
                for i, slots in zip(members[source], plans[source].slots, strict=True):
                    sums[i] = float(values[list(slots)].sum())
            advance(len(batch))
    return [sums[i] for i in range(len(requests))], Counts(run.encoded, run.decoded)


def plan_conditional(requests: Sequence[Conditional]) -> Plan:
    """A plan of all requests; decoder rows of one source share what they have in common."""
    members: dict[Ids, list[int]] = {}
    for i, request in enumerate(requests):
        members.setdefault(request.source, []).append(i)
    rows: list[Row] = []
    slots: dict[int, tuple[int, ...]] = {}
    size = 0
    for source, of in members.items():
        plan = make_plan([requests[i].target for i in of])
        rows += [replace(row, slot=row.slot + size, source=source) for row in plan.rows]
        for i, own in zip(of, plan.slots, strict=True):
            slots[i] = tuple(slot + size for slot in own)
        size += plan.size
    return Plan(
        rows=tuple(rows),
        slots=tuple(slots[i] for i in range(len(requests))),
        size=size,
        asked=sum(len(request.target.ids) - 1 for request in requests),
        duplicates=len(requests) - len(set(requests)),
        served=0,
    )


def sources_of(rows: Sequence[Row]) -> dict[Ids, int]:
    """The distinct sources of `rows`, each with its row in the encoder's batch."""
    return {source: i for i, source in enumerate(dict.fromkeys(row.source for row in rows))}


def conditional_rows(
    module: nn.Module, head: SelectedHead, rows: Sequence[Row], positions: Sequence[Sequence[int]]
) -> Tensor:
    """Logits [R, vocabulary] after `positions[i]` of each of `rows`, R the total of positions, in order.

    One pass, with gradients where they are on, through the encoder for every distinct source and through the
    decoder for every row. `head` must be entered.
    """
    sources = sources_of(rows)
    states, mask = _encoded(module, list(sources))
    read = _Read(states, mask, [sources[row.source] for row in rows])
    where = [(i, p) for i, chosen in enumerate(positions) for p in chosen]
    return _decoded(module, head, [row.ids for row in rows], read, where)


def _encoded(module: Any, sources: Sequence[Ids]) -> tuple[Tensor, Tensor]:
    """The encoder's last hidden states [S, tokens, d] and the mask [S, tokens] of padded `sources`."""
    inputs = pad_rows(sources, "right", device_of(module))
    given = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
    return module.get_encoder()(**given, return_dict=True).last_hidden_state, inputs["attention_mask"]


@dataclass(frozen=True, slots=True)
class _Read:
    """What a decoder reads: the encoder's `states` [S, tokens, d] with their `mask` [S, tokens], and for each
    of its rows the number of its source.
    """

    states: Tensor
    mask: Tensor
    numbers: Sequence[int]


class _Run:
    """One call's passes through the two halves of `module`."""

    def __init__(self, module: Any, head: SelectedHead, batch_tokens: int) -> None:
        self._module = module
        self._head = head
        self._room = Room(batch_tokens, head.room)
        self._device = device_of(module)
        self.encoded = self.decoded = 0

    def encode(self, sources: Sequence[Ids]) -> tuple[Tensor, Tensor]:
        """The encoder's last hidden states [S, tokens, d] and the mask [S, tokens] of padded `sources`."""
        self.encoded += len(sources)
        return _encoded(self._module, sources)

    def decode(self, plans: Sequence[Plan], states: Tensor, mask: Tensor) -> list[NDArray[np.float64]]:
        """The answers of each plan, whose source is the row of `states` with its number."""
        values = [np.empty(plan.size) for plan in plans]
        rows = [(k, row) for k, plan in enumerate(plans) for row in plan.rows]
        width = int(mask.shape[1])

        def load(one: tuple[int, Row]) -> Load:
            # A decoder row pays for its own tokens and, in the attention across, for its source.
            return Load(len(one[1].ids) + width, heads=len(one[1].wanted))

        def work(batch: Sequence[tuple[int, Row]]) -> list[NDArray[np.float64]]:
            return self._decode(batch, states, mask)

        for batch, numbers in in_batches(rows, load, self._room, work):
            for (k, row), found in zip(batch, numbers, strict=True):
                values[k][row.slot : row.slot + len(row.wanted)] = found
        return values

    def _decode(
        self, rows: Sequence[tuple[int, Row]], states: Tensor, mask: Tensor
    ) -> list[NDArray[np.float64]]:
        flat = [(i, *pair) for i, (_, row) in enumerate(rows) for pair in row.wanted]
        targets = torch.tensor([target for _, _, target in flat], device=self._device)  # [T]
        read = _Read(states, mask, [k for k, _ in rows])
        where = [(i, position) for i, position, _ in flat]
        logits = _decoded(self._module, self._head, [row.ids for _, row in rows], read, where)
        found = logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(-1)  # [T], nats
        self.decoded += len(rows)
        check_finite(self._module, found)
        return np.split(found.double().cpu().numpy(), np.cumsum([len(row.wanted) for _, row in rows])[:-1])


def _decoded(
    module: Any, head: SelectedHead, rows: Sequence[Ids], read: _Read, where: Sequence[tuple[int, int]]
) -> Tensor:
    """Logits [T, vocabulary] at the T (row, position) pairs `where` of the decoder's `rows`."""
    from transformers.modeling_outputs import BaseModelOutput

    device = device_of(module)
    source = torch.tensor(read.numbers, device=device)  # [R], rows of the states
    places, positions = torch.tensor(where, device=device).T  # [T] each
    head.select(places, positions)
    given: Mapping[str, Any] = {
        "encoder_outputs": BaseModelOutput(last_hidden_state=read.states[source]),
        "attention_mask": read.mask[source],
        "decoder_input_ids": pad_rows(rows, "right", device)["input_ids"],
    }
    logits: Tensor = module(**given, use_cache=False, return_dict=True).logits[0]  # [T, vocabulary]
    return logits if logits.dtype == torch.float64 else logits.float()
