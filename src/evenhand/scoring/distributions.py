"""What a model expects after given texts, over its whole vocabulary, and how far two such answers are apart.

The contexts run as packed prefix trees (`evenhand.scoring.trees`), so those that begin alike share their work
and one that is the beginning of another costs nothing; where the model takes no trees, contexts of one length
run together, without padding. A model that fills gaps is asked for one word after each context. The tables
come in blocks: only one block of logits exists at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from evenhand.errors import BadModel
from evenhand.records import Continuation
from evenhand.scoring.asking import Asking, asking
from evenhand.scoring.batching import Load, Room, in_batches
from evenhand.scoring.finite import check_finite
from evenhand.scoring.forward import SelectedHead, reading, run_inputs, run_rows
from evenhand.scoring.packing import Packed
from evenhand.scoring.plan import Row, make_plan
from evenhand.scoring.runners import Weights
from evenhand.scoring.texts import packs
from evenhand.scoring.tokens import Encoded, Encoder
from evenhand.scoring.trees import nodes_at, pack_evenly, tree_inputs

ROOM = 256
"""Tokens of a packed tree at most, where no context is longer."""
LEAST = -100.0
"""Nats below which a log-probability counts as this many, so that no divergence is infinite."""
_FILLERS = (" it", " he", " she", " the", " they", " a")
_TEMPERATURES = (0.1, 10.0)
_Ids = tuple[int, ...]
_Block = tuple[list[int], Tensor]


def vocabulary(model: Weights) -> int:
    """The number of outcomes of a distribution.

    Raises:
        BadModel: the model has no language-model head.
    """
    return SelectedHead(model.module).vocabulary


def in_blocks(model: Weights, contexts: Sequence[str]) -> Iterator[_Block]:
    """The log-probabilities of the next token after each context, in nats, block by block.

    Each block is (places, table): `places` number the contexts of the rows of `table` [n, vocabulary], which
    is float32 on the CPU and at most 64 MB large, or one row. Every context is in one block, in no
    particular order; equal contexts run once.

    Raises:
        BadData: a context is empty without a beginning mark, or does not fit into the model's window.
        BadModel: the model answers with NaN.
        OutOfMemory: one context alone does not fit.
    """
    if not contexts:
        return
    if not asking(model).restarts:
        yield from _asked(model, contexts)
        return
    module, rows = model.module, Encoder.of(model.module, model.tokenizer).prompts(contexts)
    places: dict[_Ids, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row, []).append(place)
    ordered = sorted(places)  # those that begin alike are in one part
    trees = packs(module, model.tokenizer, contexts)
    with reading(module) as head:
        for start in range(0, len(ordered), head.room):
            part = ordered[start : start + head.room]
            plan = make_plan([Encoded((*row, 0), len(row)) for row in part])
            owners: list[list[int]] = [[] for _ in range(plan.size)]
            for row, (slot,) in zip(part, plan.slots, strict=True):
                owners[slot] += places[row]
            room = Room(model.batch_tokens, head.room)
            for slots, table in tables(model, head, plan.rows, room, trees=trees):
                yield from _named(slots, table.float().cpu(), owners, head.room)


def _named(slots: list[int], table: Tensor, owners: list[list[int]], room: int) -> Iterator[_Block]:
    """The blocks of the contexts that the rows `slots` of the `table` answer, some of them several."""
    pairs = [(i, place) for i, slot in enumerate(slots) for place in owners[slot]]
    if [i for i, _ in pairs] == list(range(len(slots))):
        yield [place for _, place in pairs], table
        return
    for start in range(0, len(pairs), room):
        part = pairs[start : start + room]
        yield [place for _, place in part], table[[i for i, _ in part]]


def _asked(model: Weights, contexts: Sequence[str]) -> Iterator[_Block]:
    """The same for a model that fills gaps: what it expects in place of one word after each context."""
    asked = asking(model)
    places: dict[tuple[_Ids, _Ids], list[int]] = {}
    rows: dict[tuple[_Ids, _Ids], Row] = {}
    for place, row in enumerate(_gaps(asked, contexts)):
        places.setdefault(row.seen(len(row.ids)), []).append(place)
        rows[row.seen(len(row.ids))] = row

    def work(batch: list[Row]) -> Tensor:
        return _logs(model, asked.run(head, batch))

    def load(row: Row) -> Load:
        return Load(max(len(row.ids), len(row.source)), heads=1)

    with reading(model.module) as head:
        for batch, table in in_batches(list(rows.values()), load, Room(model.batch_tokens, head.room), work):
            owners = [places[row.seen(len(row.ids))] for row in batch]
            yield from _named(list(range(len(batch))), table.float().cpu(), owners, head.room)


def _gaps(asked: Asking[Any], contexts: Sequence[str]) -> list[Row]:
    """The row that asks for one word after each context; the word that stands there to begin with is hidden.

    Raises:
        BadModel: the tokenizer writes none of the usual words as one token.
    """
    for word in _FILLERS:
        with suppress(BadModel):  # a piece that the tokenizer does not know
            if len(asked.scored(asked.encode([Continuation(contexts[0], word)])[0])) == 1:
                return [asked.opening(one) for one in asked.encode([Continuation(c, word) for c in contexts])]
    raise BadModel(
        "The tokenizer writes no usual word as one token, so there is no gap of one token to ask about.",
        mend="Use the tokenizer that belongs to the model.",
    )


def tables(
    model: Weights, head: SelectedHead, rows: Sequence[Row], room: Room, *, trees: bool
) -> Iterator[_Block]:
    """The log-probabilities of the next token at each wanted position of `rows`, block by block.

    Each block is the slots that its rows answer, and a table [slots, vocabulary] on the model's device. With
    `trees` rows run as packed trees (see `evenhand.scoring.texts.rows_pack`), else in batches of one length.
    `head` must be entered, under `torch.no_grad`.

    Raises:
        BadModel: the model answers with NaN.
        OutOfMemory: one row alone does not fit.
    """
    return (_by_trees if trees else _by_length)(model, head, rows, room)


def _by_trees(model: Weights, head: SelectedHead, rows: Sequence[Row], room: Room) -> Iterator[_Block]:
    def work(batch: list[Packed]) -> Tensor:
        return _logs(model, run_inputs(model.module, head, tree_inputs(model.module, batch), nodes_at(batch)))

    def load(tree: Packed) -> Load:
        return Load(len(tree.ids), heads=len(tree.places))

    for batch, table in in_batches(pack_evenly(rows, ROOM), load, room, work):
        order = {node: at for at, node in enumerate(nodes_at(batch))}
        wanted = [(order[i, place], slot) for i, tree in enumerate(batch) for place, _, slot in tree.wanted]
        yield [slot for _, slot in wanted], chosen(table, [at for at, _ in wanted])


def _by_length(model: Weights, head: SelectedHead, rows: Sequence[Row], room: Room) -> Iterator[_Block]:
    def work(batch: list[Row]) -> Tensor:
        ids, positions = [row.ids for row in batch], [row.positions for row in batch]
        return _logs(model, run_rows(model.module, head, ids, positions))

    def load(row: Row) -> Load:
        return Load(len(row.ids), heads=len(row.wanted), like=len(row.ids))

    for batch, table in in_batches(rows, load, room, work):
        yield [slot for row in batch for slot in range(row.slot, row.end)], table


def chosen(table: Tensor, places: list[int]) -> Tensor:
    """These rows of the table; itself where they are all, in order."""
    return table if places == list(range(len(table))) else table[places]


def _logs(model: Weights, logits: Tensor) -> Tensor:
    check_finite(model.module, logits, infinite=True)
    return logits.log_softmax(-1)


def distributions(model: Weights, contexts: Sequence[str]) -> Tensor:
    """The log-probabilities of the next token after each context, [N, vocabulary], as `in_blocks` gives them.

    Raises:
        BadData, BadModel, OutOfMemory: as for `in_blocks`.
    """
    table = torch.empty(len(contexts), vocabulary(model))
    for places, part in in_blocks(model, contexts):
        table[places] = part
    return table


def divergence(before: Tensor, after: Tensor) -> Tensor:
    """KL(before || after) of each row in nats, [N] float64, from log-probabilities [N, vocabulary]."""
    apart = before - after.clamp_min(LEAST)
    found = torch.where(before > LEAST, before.exp() * apart, torch.zeros_like(apart))
    return found.sum(-1, dtype=torch.float64).clamp_min(0.0)


def without(logs: Tensor, tokens: Sequence[int]) -> Tensor:
    """The distributions over all outcomes but `tokens`, renormalised: log-probabilities [N, vocabulary]."""
    if not tokens:
        return logs
    left = logs.clone()
    left[:, list(tokens)] = -torch.inf
    return left.log_softmax(-1)


def entropies(logs: Tensor) -> Tensor:
    """The entropy of each row in nats, [N] float64."""
    found = torch.where(logs > LEAST, logs.exp() * logs, torch.zeros_like(logs))
    return found.sum(-1, dtype=torch.float64).neg()


def temperature(before: Tensor, after: Tensor) -> float:
    """The T > 0 for which the rows of `after`, with logits divided by T, are closest to those of `before`.

    It minimises the mean KL(before || tempered after) and is sought from 0.1 to 10; both are
    log-probabilities [N, vocabulary]. Above 1, `after` is sharper than `before`; below 1, flatter.
    """
    # -Σ p log(tempered q) = logsumexp(log q / T) - Σ p log q / T, and only that depends on T.
    crossed = torch.where(before > LEAST, before.exp() * after.clamp_min(LEAST), torch.zeros_like(after))
    mean = float(crossed.sum(-1, dtype=torch.float64).mean())

    def cost(log_t: float) -> float:
        t = math.exp(log_t)
        return float((after / t).logsumexp(-1).double().mean()) - mean / t

    bounds = (math.log(_TEMPERATURES[0]), math.log(_TEMPERATURES[1]))
    found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    return math.exp(float(found.x))


def first_tokens(model: Weights, context: str, texts: Sequence[str]) -> list[int]:
    """The ids, sorted, with which the `texts` begin after `context`.

    Raises:
        BadData, BadModel: as for `Encoder.encode`.
    """
    asked = asking(model)
    return sorted(
        {asked.scored(one)[0] for one in asked.encode([Continuation(context, text) for text in texts])}
    )
