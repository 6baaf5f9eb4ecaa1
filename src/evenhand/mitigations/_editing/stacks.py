"""Edits written into a model, one after another (ROME, R-ROME) or many at once (MEMIT).

Values are sought for `together` requests at a time, on the weights as edited until then. The algebra runs in
float64; the model holds the weights so far only while they are edited.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evenhand.mitigations._editing.aims import Aim
from evenhand.mitigations._editing.passes import Place, at_tokens
from evenhand.mitigations._editing.solving import Moment, rank_one, spread
from evenhand.mitigations._editing.subjects import Request, Token
from evenhand.mitigations._editing.values import Search, Values, values
from evenhand.models import OpenModel
from evenhand.models.projections import Projection
from evenhand.progress import task

PER_INPUT = 15000 / 8192
"""MEMIT's lambda for each input of a map: the published one, for Llama3.2-3B."""


@dataclass(frozen=True)
class Work:
    """The edits to make: in which maps, for which requests, how; `moments` are the maps', in order."""

    model: OpenModel
    maps: tuple[Projection, ...]
    moments: tuple[Moment, ...]
    requests: tuple[Request, ...]
    aim: Aim
    search: Search
    together: int

    def portions(self) -> Iterator[tuple[list[Request], Aim]]:
        """The requests with their aims, `together` at a time."""
        for start in range(0, len(self.requests), self.together):
            numbers = range(start, min(len(self.requests), start + self.together))
            yield [self.requests[i] for i in numbers], self.aim.some(torch.tensor(list(numbers)))


def averaged(
    model: OpenModel, of: Projection, requests: Sequence[Request], token: Token = "subject_last"
) -> tuple[Tensor, Tensor]:
    """The keys [n, in] of the bare prompts, and those averaged over each one's contexts."""
    contexts = [c for r in requests for c in r.contexts]
    every, _ = at_tokens(model, of.module, of.block, contexts, token)
    keys = every.view(len(requests), -1, every.shape[1])  # [n, contexts, in]
    return keys[:, 0], keys.mean(1)


def one_by_one(work: Work, *, one_key: bool) -> list[Values]:
    """ROME's edits in the one map, stacked; with `one_key` R-ROME's. The model is left with them.

    A key is the input of the edited map, which edits of that map do not change: it is read once.
    """
    (of,), (moment,) = work.maps, work.moments
    bare, mean = averaged(work.model, of, work.requests)
    used = mean if one_key else bare
    found, done, weight = [], 0, of.exact()
    for requests, aim in work.portions():
        keys = bare[done : done + len(requests)]
        _, start = at_tokens(work.model, of.module, of.block, [r.example for r in requests])
        new = values(work.model, Place(of.module, of.block), requests, start, aim=aim, search=work.search)
        wanted = keys @ weight.T + new.added  # of W k alone: the bias stays what it is, [m, out]
        with task("edits", len(requests), unit="edit", late=True) as advance:
            for i, value in enumerate(wanted, start=done):
                weight = rank_one(weight, value, used[i], mean[i], moment)
                advance(1)
        of.put(weight)
        done += len(requests)
        found.append(new)
    return found


def all_at_once(work: Work, *, weight: float | None) -> list[Values]:
    """MEMIT's edits, spread over the maps from the lowest up; the model is left with them.

    Values are what the highest block gives. Each map takes an equal share of what is left to do there, with
    keys as the maps below it have changed them; `weight` is lambda, None `PER_INPUT` times a map's inputs.
    """
    last, found = work.maps[-1].block, []
    whole = work.model.layout.module(f"block.{last}")
    for requests, aim in work.portions():
        bare = [request.example for request in requests]
        _, start = at_tokens(work.model, whole, last, bare)
        new = values(work.model, Place(whole, last), requests, start, aim=aim, search=work.search)
        wanted = start + new.added  # [m, width]
        for i, (of, moment) in enumerate(zip(work.maps, work.moments, strict=True)):
            _, keys = averaged(work.model, of, requests)
            _, now = at_tokens(work.model, whole, last, bare)
            share = (wanted - now) / (len(work.maps) - i)
            amount = PER_INPUT * of.shape[1] if weight is None else weight
            of.put(spread(of.exact(), keys.T, share.T, moment, amount))
        found.append(new)
    return found
