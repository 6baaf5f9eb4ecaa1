"""Next-token distributions reweighted by what the same model expects after warning texts (self-debiasing).

Schick et al. 2021. With p the model's next-token distribution after a context and p_b the one after a text
that asks for the bias and the same context, a token that the text makes more likely loses weight:

    p'(w) = alpha(w) p(w) / sum_v alpha(v) p(v),    alpha(w) = max(exp(-lam max(p_b(w) - p(w), 0)), floor)

With several texts p_b is their elementwise maximum. Worked: p = (.5, .5), p_b = (.6, .4), lam 50, floor .01:
alpha = (max(e^-5, .01), 1) = (.01, 1), p' = (.005, .5) / .505 = (.0099, .9901).

What begins alike runs once, as packed prefix trees, so a text that asks for the bias is read once a tree;
where the model takes no trees, rows of one length run together. Nothing is padded, or kept from one call to
the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evenhand.architectures import window
from evenhand.errors import BadData
from evenhand.progress import task
from evenhand.records import Continuation, LogProb
from evenhand.scoring.batching import Room
from evenhand.scoring.distributions import chosen, tables
from evenhand.scoring.forward import reading
from evenhand.scoring.plan import Row, make_plan
from evenhand.scoring.runners import Weights
from evenhand.scoring.texts import rows_pack
from evenhand.scoring.tokens import Encoded, Encoder, shown

Ids = tuple[int, ...]
FEW = 64  # rows that a test of trees chooses from


@dataclass(frozen=True, slots=True)
class Reweighting:
    """The texts that ask for the bias, how strongly they count (`lam`), and the least factor (`floor`)."""

    prefixes: tuple[str, ...]
    lam: float = 50.0
    floor: float = 0.01


def reweighted(log_p: Tensor, log_b: Tensor, lam: float, floor: float) -> Tensor:
    """ln p' [N, V] from ln p [N, V] and ln p_b [C, N, V] of C texts, in nats."""
    more = (log_b.amax(dim=0).exp() - log_p.exp()).clamp_min(0.0)
    return (log_p + (-lam * more).exp().clamp_min(floor).log()).log_softmax(-1)


class Copier:
    """Makes a row's copies behind the texts that ask for the bias, for one model.

    Raises:
        BadData, BadModel: a text cannot be read by the model (see `Encoder.prompts`).
    """

    def __init__(self, model: Weights, reweighting: Reweighting) -> None:
        encoder = Encoder.of(model.module, model.tokenizer)
        self._marks = len(encoder.prefix)
        self._before = encoder.prompts(list(reweighting.prefixes))
        self._window = window(getattr(model.module, "config", None))
        self._text = reweighting.prefixes[0]
        self.number = 1 + len(self._before)
        self.longest = max(map(len, self._before)) - self._marks

    def __call__(self, ids: Ids, room: int = 0) -> list[Ids]:
        """The row itself, then behind each text; `room` further tokens fit into the window.

        Raises:
            BadData: they do not.
        """
        found = [ids, *((*before, *ids[self._marks :]) for before in self._before)]
        longest = max(map(len, found)) + room
        if self._window is not None and longest > self._window:
            raise BadData(
                f"A prompt of {len(ids)} tokens and the text {shown(self._text)} before it take {longest} "
                f"tokens with {room} to write, and the model's window has {self._window}.",
                mend="Shorten the text (self_debias:prefix=...) or the prompt.",
            )
        return found


def logprobs(model: Weights, items: Sequence[Continuation], reweighting: Reweighting) -> list[LogProb]:
    """log P'(text | context) in nats for each request, in order.

    Raises:
        BadData, BadModel: as for `Encoder.encode` and `Copier`, or the model answers with NaN.
        OutOfMemory: one row alone does not fit.
    """
    plan = make_plan(Encoder.of(model.module, model.tokenizer).encode(items))
    values: Tensor = torch.empty(plan.size, dtype=torch.float64)
    for rows, table in _tables(model, plan.rows, reweighting):
        order = {
            (i, p): r for r, (i, p) in enumerate((i, p) for i, row in enumerate(rows) for p in row.positions)
        }
        wanted = [(order[i, place], target) for i, row in enumerate(rows) for place, target in row.wanted]
        slots = [slot for row in rows for slot in range(row.slot, row.end)]
        at, targets = torch.tensor(wanted, device=table.device).T
        values[slots] = table[at, targets].double().cpu()
    return [LogProb(float(values[list(slots)].sum()), len(slots)) for slots in plan.slots]


def in_blocks(
    model: Weights, contexts: Sequence[str], reweighting: Reweighting
) -> Iterator[tuple[list[int], Tensor]]:
    """As `evenhand.scoring.distributions.in_blocks`, of the reweighted distributions.

    Raises:
        BadData, BadModel, OutOfMemory: as for `logprobs`.
    """
    for places, both in pairs_in_blocks(model, contexts, reweighting):
        yield places, reweighted(both[0], both[1:], reweighting.lam, reweighting.floor)


def pairs_in_blocks(
    model: Weights, contexts: Sequence[str], reweighting: Reweighting
) -> Iterator[tuple[list[int], Tensor]]:
    """The places of contexts, and ln p and ln p_b of each text after them: [1 + C, n, V], float32 on the CPU.

    Raises:
        BadData, BadModel, OutOfMemory: as for `logprobs`.
    """
    rows = Encoder.of(model.module, model.tokenizer).prompts(contexts)
    owners: dict[Ids, list[int]] = {}
    for place, ids in enumerate(rows):
        owners.setdefault(ids, []).append(place)
    plan = make_plan([Encoded((*ids, 0), len(ids)) for ids in owners])
    of_slot = {slot: owners[ids] for ids, (slot,) in zip(owners, plan.slots, strict=True)}
    for part, both in _raw(model, plan.rows, reweighting):
        slots = [slot for row in part for slot in range(row.slot, row.end)]
        pairs = [(i, place) for i, slot in enumerate(slots) for place in of_slot[slot]]
        yield [place for _, place in pairs], both[:, [i for i, _ in pairs]].float().cpu()


def _tables(
    model: Weights, rows: Sequence[Row], reweighting: Reweighting
) -> Iterator[tuple[list[Row], Tensor]]:
    for part, both in _raw(model, rows, reweighting):
        yield part, reweighted(both[0], both[1:], reweighting.lam, reweighting.floor)


def _raw(model: Weights, rows: Sequence[Row], reweighting: Reweighting) -> Iterator[tuple[list[Row], Tensor]]:
    """Parts of the rows with ln p and each ln p_b at their positions, [1 + C, R, V]."""
    module, copier = model.module, Copier(model, reweighting)
    trees = rows_pack(module, lambda: [copy for row in rows[:FEW] for copy in copier(row.ids)])
    with reading(module) as head, task("scoring", len(rows), unit="row") as advance:
        room = Room(model.batch_tokens, head.room)
        for part in _parts(rows, max(1, head.room // copier.number)):
            copies = [copier(row.ids) for row in part]
            read = [
                _read(tables(model, head, _asking(part, ids), room, trees=trees))
                for ids in zip(*copies, strict=True)
            ]
            yield part, torch.stack(read)
            advance(len(part))


def _parts(rows: Sequence[Row], most: int) -> Iterator[list[Row]]:
    """The rows, those that begin alike together, in parts of at most `most` positions, or of one row."""
    part: list[Row] = []
    held = 0
    for row in sorted(rows, key=lambda row: row.ids):
        own = len(row.positions)
        if part and held + own > most:
            yield part
            part, held = [], 0
        part.append(row)
        held += own
    if part:
        yield part


def _asking(part: Sequence[Row], copies: Sequence[Ids]) -> list[Row]:
    """Rows that read `copies` and want what follows at the positions of `part`, in slots of that order."""
    found: list[Row] = []
    for row, ids in zip(part, copies, strict=True):
        wanted = tuple((len(ids) - len(row.ids) + place, 0) for place in row.positions)
        found.append(Row(ids, wanted, found[-1].end if found else 0))
    return found


def _read(blocks: Iterator[tuple[list[int], Tensor]]) -> Tensor:
    """The tables of blocks as one, in the order of their slots, [R, V]."""
    slots, found = zip(*blocks, strict=True)
    order = [slot for block in slots for slot in block]
    return chosen(torch.cat(found), sorted(range(len(order)), key=order.__getitem__))
