"""Differentiable outcome distributions: the scoring engine's log-probabilities, with gradients.

After a prompt the next outcome is the term of one of k groups, or anything else; together they sum to 1.
Training objectives and gradient locators work on these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.records import Continuation, Example
from evenhand.scoring.asking import Ids, Run, Weights, asking
from evenhand.scoring.conditional import sources_of
from evenhand.scoring.forward import SelectedHead
from evenhand.scoring.plan import Plan, Row
from evenhand.scoring.tokens import shown

_TINY = 1e-12
Lazy = Tensor | Callable[[], Tensor]
Places = tuple[Tensor, Tensor]


class Outcomes:
    """Log-probabilities in nats, with gradients; ``exp`` of row n of both tables sums to 1.

    `log_p` [N, k] holds the groups. `log_rest` [N, V] holds, for every token of the vocabulary, the outcomes
    that begin with this token and belong to no group; it is -inf where the token is a group's whole term.
    `places` are the rows and the positions of the forward pass's hidden states, including padding, from which
    terms were predicted; one that several examples share is given for each of them. They are None for
    outcomes of no single pass. `read` are those of every token that the encoder of a pass read, for each
    example all of its own; None where there is no encoder.

    Either table may be given as a function without arguments: it is called when the table is first read.
    """

    def __init__(
        self, log_p: Lazy, log_rest: Lazy, places: Places | None = None, read: Places | None = None
    ) -> None:
        self._log_p = log_p
        self._log_rest = log_rest
        self.places = places
        self.read = read

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


class Prompts:
    """Examples with their terms, checked and encoded once; `outcomes` reads any of them as one batch.

    Raises:
        BadData: no example, different numbers of groups, a group without a term, or a text that breaks the
            rules of `Encoder.encode`.
        BadModel: with this tokenizer one term is a prefix of another, so they do not exclude each other.
    """

    def __init__(self, model: Weights, examples: Sequence[Example]) -> None:
        terms = _terms(examples)
        self.asking = asking(model)
        encoded = self.asking.encode([term.request for term in terms])
        scored = [self.asking.scored(one) for one in encoded]
        _check_exclusive(terms, scored)
        self._module = model.module
        self._of: list[list[tuple[_Term, Any]]] = [[] for _ in examples]
        for term, one in zip(terms, encoded, strict=True):
            self._of[term.example].append((term, one))

    def __len__(self) -> int:
        return len(self._of)

    def opening(self, number: int) -> Row:
        """The row that predicts the first token of the example's terms, and nothing after it."""
        rows = (self.asking.opening(one) for _, one in self._of[number])
        return min(rows, key=lambda row: len(row.ids))

    def check_partition(self) -> None:
        """Refuse terms that leave no common rest, as those of a masked model that differ in their length.

        Raises:
            BadModel: the groups' terms and everything else are not one distribution after some prompt.
        """
        for found in self._of:
            if len({self.asking.opening(one).ids for _, one in found}) > 1:
                lengths = sorted({len(self.asking.scored(one)) for _, one in found})
                term = found[0][0].request
                raise BadModel(
                    f"The terms after {shown(term.context)} have {' and '.join(map(str, lengths))} tokens, "
                    "which this model reads at as many masks: they are no outcomes of one distribution.",
                    mend="Use terms of equally many tokens, a causal model, or `--with prompt`.",
                )

    def plan(self, chosen: Sequence[int]) -> Plan:
        """What has to run for the examples of the numbers `chosen`, as one batch."""
        plan: Plan = self.asking.plan([one for i in chosen for _, one in self._of[i]])
        return plan

    def outcomes(self, chosen: Sequence[int], run: Run | None = None) -> Outcomes:
        """Log-probabilities of the examples of the numbers `chosen`, in this order, in one forward pass.

        A term of several tokens has the product of its tokens' probabilities (chain rule), a group the sum
        over its surface forms. A token that begins a longer term keeps in `log_rest` what the terms leave of
        it. The training flag is the caller's: in evaluation mode (no dropout) `log_p` equals the engine's
        answers. `run` defaults to whole rows. See `check_partition` for `log_rest`.
        """
        mine = [(i, term, one) for i, number in enumerate(chosen) for term, one in self._of[number]]
        plan: Plan = self.asking.plan([one for _, _, one in mine])
        with SelectedHead(self._module) as head:
            logits = (run or self.asking.run)(head, plan.rows)
            places = head.selected
        # logits: [R, V]; head_rows holds the row of it that each wanted prediction is read from.
        head_rows = _head_rows(plan)
        targets = [target for row in plan.rows for _, target in row.wanted]
        tokens = logits[head_rows, targets] - logits.logsumexp(-1)[head_rows]
        of_term = _sums(tokens, plan.slots)  # [T], the log-probability of each term
        first = {i: head_rows[slots[0]] for (i, _, _), slots in zip(mine, plan.slots, strict=True)}
        keys = [(i, term.group) for i, term, _ in mine]
        return Outcomes(
            _grouped(of_term, keys).view(len(chosen), -1),
            lambda: _without(
                logits[list(first.values())].log_softmax(-1),
                of_term,
                [(i, self.asking.scored(one)) for i, _, one in mine],
            ),
            _by_example(
                places, head_rows, [(i, slots) for (i, _, _), slots in zip(mine, plan.slots, strict=True)]
            ),
            _read(plan.rows, [self.opening(number) for number in chosen], logits.device),
        )


def _head_rows(plan: Plan) -> list[int]:
    index = {
        (i, p): r for r, (i, p) in enumerate((i, p) for i, row in enumerate(plan.rows) for p in row.positions)
    }
    return [index[i, p] for i, row in enumerate(plan.rows) for p, _ in row.wanted]


def _read(rows: Sequence[Row], openings: Sequence[Row], device: torch.device) -> Places | None:
    """The encoder's rows and positions that the decoder reads for each example; None without an encoder."""
    if any(row.source in ((), row.ids) for row in openings):
        return None
    numbers = sources_of(rows)
    pairs = [(numbers[row.source], p) for row in openings for p in range(len(row.source))]
    found = torch.tensor(pairs, device=device)
    return found[:, 0], found[:, 1]


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


def _check_exclusive(terms: Sequence[_Term], scored: Sequence[Ids]) -> None:
    ordered = sorted((term.example, ids, term.request.text) for term, ids in zip(terms, scored, strict=True))
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


def _without(rest: Tensor, of_term: Tensor, terms: Sequence[tuple[int, Ids]]) -> Tensor:
    """`rest` [N, V] after the terms' probabilities are taken out of it; each term with its row of `rest`."""
    starts = [(row, ids[0]) for row, ids in terms]
    whole = [len(ids) == 1 for _, ids in terms]
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
