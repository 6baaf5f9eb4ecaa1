"""Differentiable outcome distributions: the scoring engine's log-probabilities, with gradients.

After a prompt the next outcome is the term of one of k groups, or anything else; together they sum to 1.
Training objectives and gradient locators work on these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
Ids = tuple[int, ...]
# One pass over rows of ids: the logits [R, vocabulary] after the positions wanted in each, in order.
Run = Callable[[SelectedHead, Sequence[Ids], Sequence[Sequence[int]]], Tensor]
Lazy = Tensor | Callable[[], Tensor]


class Weights(Protocol):
    """The part of an open model that is needed here."""

    module: nn.Module
    tokenizer: PreTrainedTokenizerBase


class Outcomes:
    """Log-probabilities in nats, with gradients; ``exp`` of row n of both tables sums to 1.

    `log_p` [N, k] holds the groups. `log_rest` [N, V] holds, for every token of the vocabulary, the outcomes
    that begin with this token and belong to no group; it is -inf where the token is a group's whole term.
    `places` are the rows and the positions of the forward pass's hidden states, including padding, from which
    terms were predicted; one that several examples share is given for each of them. They are None for
    outcomes of no single pass.

    Either table may be given as a function without arguments: it is called when the table is first read.
    """

    def __init__(self, log_p: Lazy, log_rest: Lazy, places: tuple[Tensor, Tensor] | None = None) -> None:
        self._log_p = log_p
        self._log_rest = log_rest
        self.places = places

    @property
    def log_p(self) -> Tensor:
        """The groups' log-probabilities, [N, k]."""
        if not isinstance(self._log_p, Tensor):
            self._log_p = self._log_p()
        return self._log_p

    @property
    def log_rest(self) -> Tensor:
        """The log-probabilities of everything else by its first token, [N, V]."""
        if not isinstance(self._log_rest, Tensor):
            self._log_rest = self._log_rest()
        return self._log_rest


@dataclass(frozen=True, slots=True)
class _Term:
    example: int
    group: int
    request: Continuation


def outcomes(model: Weights, examples: Sequence[Example], run: Run | None = None) -> Outcomes:
    """Group and rest log-probabilities of `examples`, in one forward pass over the whole batch.

    See `Prompts`, which encodes once what is read in many batches.

    Raises:
        BadData, BadModel: as for `Prompts`.
    """
    return Prompts(model, examples).outcomes(range(len(examples)), run)


def padding_of(module: nn.Module) -> Padding:
    """The side where a batch of this model's rows is padded."""
    return "right" if is_recurrent(getattr(module, "config", None)) else "left"


def whole_rows(module: nn.Module) -> Run:
    """The plain way to run rows: padded, through all blocks."""
    padding = padding_of(module)
    return lambda head, rows, positions: run_rows(module, head, rows, positions, padding=padding)


class Prompts:
    """Examples with their terms, checked and encoded once; `outcomes` reads any of them as one batch.

    Raises:
        BadData: no example, different numbers of groups, a group without a term, or a text that breaks the
            rules of `Encoder.encode`.
        BadModel: with this tokenizer one term is a prefix of another, so they do not exclude each other.
    """

    def __init__(self, model: Weights, examples: Sequence[Example]) -> None:
        terms = _terms(examples)
        encoded = Encoder.of(model.module, model.tokenizer).encode([term.request for term in terms])
        _check_exclusive(terms, encoded)
        self._module = model.module
        self._of: list[list[tuple[_Term, Encoded]]] = [[] for _ in examples]
        for term, ids in zip(terms, encoded, strict=True):
            self._of[term.example].append((term, ids))

    def __len__(self) -> int:
        return len(self._of)

    def beginning(self, number: int) -> Ids:
        """The ids before the first token of the example's terms, whose prediction is read first."""
        ids = min((ids for _, ids in self._of[number]), key=lambda ids: ids.start)
        return ids.ids[: ids.start]

    def plan(self, chosen: Sequence[int]) -> Plan:
        """What has to run for the examples of the numbers `chosen`, as one batch."""
        return make_plan([ids for i in chosen for _, ids in self._of[i]])

    def outcomes(self, chosen: Sequence[int], run: Run | None = None) -> Outcomes:
        """Log-probabilities of the examples of the numbers `chosen`, in this order, in one forward pass.

        A term of several tokens has the product of its tokens' probabilities (chain rule), a group the sum
        over its surface forms. A token that begins a longer term keeps in `log_rest` what the terms leave of
        it. The training flag is the caller's: in evaluation mode (no dropout) `log_p` equals the engine's
        answers. `run` defaults to `whole_rows`.
        """
        mine = [(i, term, ids) for i, number in enumerate(chosen) for term, ids in self._of[number]]
        plan = make_plan([ids for _, _, ids in mine])
        positions = [row.positions for row in plan.rows]
        with SelectedHead(self._module) as head:
            logits = (run or whole_rows(self._module))(head, [row.ids for row in plan.rows], positions)
            places = head.selected
        # logits: [R, V]; head_rows holds the row of it that each wanted prediction is read from.
        head_rows = _head_rows(plan, positions)
        targets = [target for row in plan.rows for _, target in row.wanted]
        tokens = logits[head_rows, targets] - logits.logsumexp(-1)[head_rows]
        of_term = _sums(tokens, plan.slots)  # [T], the log-probability of each term
        first = {i: head_rows[slots[0]] for (i, _, _), slots in zip(mine, plan.slots, strict=True)}
        keys = [(i, term.group) for i, term, _ in mine]
        return Outcomes(
            _grouped(of_term, keys).view(len(chosen), -1),
            lambda: _without(logits[list(first.values())].log_softmax(-1), of_term, mine),
            _by_example(
                places, head_rows, [(i, slots) for (i, _, _), slots in zip(mine, plan.slots, strict=True)]
            ),
        )


def _head_rows(plan: Plan, positions: Sequence[Sequence[int]]) -> list[int]:
    index = {(i, p): r for r, (i, p) in enumerate((i, p) for i, ps in enumerate(positions) for p in ps)}
    return [index[i, p] for i, row in enumerate(plan.rows) for p, _ in row.wanted]


def _by_example(
    places: tuple[Tensor, Tensor] | None, head_rows: Sequence[int], slots: Sequence[tuple[int, Sequence[int]]]
) -> tuple[Tensor, Tensor] | None:
    """The `places` [R] of the head's rows, once for each example that reads them."""
    if places is None:
        return None
    pairs = sorted({(head_rows[slot], i) for i, found in slots for slot in found})
    chosen = [row for row, _ in pairs]
    return places[0][chosen], places[1][chosen]


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


def _without(rest: Tensor, of_term: Tensor, terms: Sequence[tuple[int, _Term, Encoded]]) -> Tensor:
    """`rest` [N, V] after the terms' probabilities are taken out of it; each term with its row of `rest`."""
    starts = [(row, ids.ids[ids.start]) for row, _, ids in terms]
    whole = [len(ids.ids) - ids.start == 1 for _, _, ids in terms]
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
