"""Differentiable outcome distributions: the scoring engine's log-probabilities, with gradients.

After a prompt the next outcome is the term of one of k groups, or anything else; together they sum to 1.
Training objectives and gradient locators work on these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from evenhand.architectures import is_recurrent
from evenhand.errors import BadData, BadModel
from evenhand.records import Continuation, Example
from evenhand.scoring.forward import Padding, SelectedHead, run_rows
from evenhand.scoring.plan import Plan, make_plan
from evenhand.scoring.tokens import Encoded, Encoder, shown

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TINY = 1e-12


class Weights(Protocol):
    """The part of an open model that is needed here."""

    module: nn.Module
    tokenizer: PreTrainedTokenizerBase


@dataclass(frozen=True)
class Outcomes:
    """Log-probabilities in nats, with gradients; ``exp`` of row n of both tables sums to 1.

    `log_p` [N, k] holds the groups. `log_rest` [N, V] holds, for every token of the vocabulary, the outcomes
    that begin with this token and belong to no group; it is -inf where the token is a group's whole term.
    `places` are the rows and the positions of the forward pass's hidden states, including padding, from which
    terms were predicted; None for outcomes that were concatenated from several passes.
    """

    log_p: Tensor
    log_rest: Tensor
    places: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True, slots=True)
class _Term:
    example: int
    group: int
    request: Continuation


def outcomes(model: Weights, examples: Sequence[Example]) -> Outcomes:
    """Group and rest log-probabilities of `examples`, in one forward pass over the whole batch.

    A term of several tokens has the product of its tokens' probabilities (chain rule), a group the sum over
    its surface forms. A token that begins a longer term keeps in `log_rest` what the terms leave of it. The
    training flag is the caller's: in evaluation mode (no dropout) `log_p` equals the engine's answers.

    Raises:
        BadData: no example, different numbers of groups, a group without a term, or a text that breaks the
            rules of `Encoder.encode`.
        BadModel: with this tokenizer one term is a prefix of another, so they do not exclude each other.
    """
    terms = _terms(examples)
    encoder = Encoder.of(model.module, model.tokenizer)
    encoded = encoder.encode([term.request for term in terms])
    _check_exclusive(terms, encoded)
    plan = make_plan(encoded)
    table, head_rows, places = _log_softmax(model.module, plan)
    targets = [target for row in plan.rows for _, target in row.wanted]
    tokens = table[head_rows, targets]
    of_term = _sums(tokens, plan.slots)
    first_rows = {term.example: head_rows[slots[0]] for term, slots in zip(terms, plan.slots, strict=True)}
    rest = table[[first_rows[i] for i in range(len(examples))]]
    return Outcomes(
        _grouped(of_term, [(t.example, t.group) for t in terms]).view(len(examples), -1),
        _without(rest, of_term, terms, encoded),
        places,
    )


def _terms(examples: Sequence[Example]) -> list[_Term]:
    if not examples:
        raise BadData("There is no example to work on.", mend="Give at least one.")
    if len({len(example.terms) for example in examples}) > 1:
        raise BadData(
            "The examples have different numbers of groups.", mend="Use one attribute for all of them."
        )
    for example in examples:
        if not example.terms or not all(example.terms):
            raise BadData(
                f"Example {example.id!r} has a group without a term.", mend="Give each group a term."
            )
    return [
        _Term(i, g, Continuation(example.context, form))
        for i, example in enumerate(examples)
        for g, forms in enumerate(example.terms)
        for form in forms
    ]


def _check_exclusive(terms: Sequence[_Term], encoded: Sequence[Encoded]) -> None:
    ordered = sorted(
        (term.example, ids.ids[ids.start :], term.request.text)
        for term, ids in zip(terms, encoded, strict=True)
    )
    for (example, ids, text), (next_example, next_ids, next_text) in pairwise(ordered):
        if example == next_example and next_ids[: len(ids)] == ids:
            raise BadModel(
                f"The terms {shown(text)} and {shown(next_text)} do not exclude each other: with this "
                "tokenizer the first is a prefix of the second.",
                mend="Leave one of them out, or use another model.",
            )


def _log_softmax(module: nn.Module, plan: Plan) -> tuple[Tensor, list[int], tuple[Tensor, Tensor] | None]:
    """Log-probabilities [R, V] of the plan's head rows, the head row of each slot, and the rows' places."""
    positions = [sorted({position for position, _ in row.wanted}) for row in plan.rows]
    index = {(i, p): r for r, (i, p) in enumerate((i, p) for i, ps in enumerate(positions) for p in ps)}
    padding: Padding = "right" if is_recurrent(getattr(module, "config", None)) else "left"
    with SelectedHead(module) as head:
        logits = run_rows(module, head, [row.ids for row in plan.rows], positions, padding=padding)
        places = head.selected
    return (
        logits.log_softmax(-1),
        [index[i, p] for i, row in enumerate(plan.rows) for p, _ in row.wanted],
        places,
    )


def _sums(values: Tensor, slots: Sequence[Sequence[int]]) -> Tensor:
    """The sum of the values in each group of places: [len(slots)]."""
    owners = [i for i, places in enumerate(slots) for _ in places]
    chosen = values[[place for places in slots for place in places]]
    total = torch.zeros(len(slots), dtype=values.dtype, device=values.device)
    return total.index_add(0, torch.tensor(owners, device=values.device), chosen)


def _grouped(values: Tensor, keys: Sequence[tuple[int, int]]) -> Tensor:
    """Log of the summed probabilities of `values` [T] that share a key, in the order of first appearance."""
    members: dict[tuple[int, int], list[int]] = {}
    for i, key in enumerate(keys):
        members.setdefault(key, []).append(i)
    width = max(len(found) for found in members.values())
    if width == 1:
        return values
    padded = torch.cat([values, values.new_full((1,), -math.inf)])
    index = [found + [len(keys)] * (width - len(found)) for found in members.values()]
    return padded[torch.tensor(index, device=values.device)].logsumexp(-1)


def _without(rest: Tensor, of_term: Tensor, terms: Sequence[_Term], encoded: Sequence[Encoded]) -> Tensor:
    """`rest` [N, V] after the terms' probabilities are taken out of it."""
    starts = [(term.example, ids.ids[ids.start]) for term, ids in zip(terms, encoded, strict=True)]
    whole = [len(ids.ids) - ids.start == 1 for ids in encoded]
    taken = torch.zeros_like(rest, dtype=torch.bool)
    for (row, token), single in zip(starts, whole, strict=True):
        taken[row, token] |= single
    rest = rest.masked_fill(taken, -math.inf)
    longer = [i for i, single in enumerate(whole) if not single]
    if not longer:
        return rest
    keys = [starts[i] for i in longer]
    rows, tokens = torch.tensor(list(dict.fromkeys(keys)), device=rest.device).T
    begun = rest[rows, tokens]
    share = (_grouped(of_term[longer], keys) - begun).exp()  # of the token's probability, in (0, 1]
    left = begun + (1 - share).clamp_min(_TINY).log()
    return rest.index_put((rows, tokens), left)
