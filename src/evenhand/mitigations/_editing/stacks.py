"""Edits written into a model, one after another (ROME, R-ROME) or many at once (MEMIT).

Values are sought for `together` requests at a time, on the weights as edited until then. The algebra runs in
float64; the model holds the weights so far only while they are edited.

A sham writes the method's own additions times +1 or -1, one sign for all of a subject. A change of one map is
linear in the additions, so that on average over the signs it is none (but for what R-ROME does without any:
W k is moved from k to the averaged key). On the lab, for 40 edits by `r_rome:blocks=1,contexts=2`, changes of
the normalised AFGB of the test, means over seeds:

    value_lr   edits    these shams   shams that seek values towards shares swayed at random
    .1         -.097    -.001         +.031
    .5         -.068    -.058         +.083

Means of few seeds: single shams differ by .02 to .03. In pairs of opposite signs, which cancel what is of
first order, they differ by .01, and what is left shows that shams are not quite neutral. Means of 8 pairs
(standard error .003 to .004), on the lab as one processor trains it:

    value_lr   rome    its shams   r_rome    its shams
    .1         -.112   -.016       -.116     -.017
    .05        -.099   +.017       -.102     +.007

The last kind is no sham: shares end at 0 and 1, and what is sought for them goes on to the clamp. At the
published .5 a model so narrow is mostly damaged: values of any sign flatten its answers.
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
from evenhand.scoring.kept import bits, kept_of

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
    signs: Tensor | None = None

    def portions(self) -> Iterator[range]:
        """The numbers of the requests, `together` at a time."""
        for start in range(0, len(self.requests), self.together):
            yield range(start, min(len(self.requests), start + self.together))

    def values(self, at: Place, numbers: range, start: Tensor) -> Values:
        """The values of some requests, where `start` stands now, times their signs.

        What is sought once is kept with the model: a sham of the same prompts writes the same additions.
        """
        kept, some = kept_of(self.model.module).results, torch.tensor(list(numbers))
        asked, aim = [self.requests[i] for i in numbers], self.aim.some(some)
        wanted = tuple(map(tuple, aim.wanted.tolist()))
        weights = bits(self.model.module.parameters())
        key = ("values", id(at.module), at.token, self.search, tuple(asked), wanted, weights)
        found: Values | None = kept.find(key)
        if found is None:
            found = values(self.model, at, asked, start, aim=aim, search=self.search)
            kept.put(key, found)
        return found.turned(None if self.signs is None else self.signs[some])


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
    found, weight = [], of.exact()
    for numbers in work.portions():
        keys = bare[numbers]
        _, start = at_tokens(work.model, of.module, of.block, [work.requests[i].example for i in numbers])
        new = work.values(Place(of.module, of.block), numbers, start)
        wanted = keys @ weight.T + new.added  # of W k alone: the bias stays what it is, [m, out]
        with task("edits", len(numbers), unit="edit", late=True) as advance:
            for i, value in zip(numbers, wanted, strict=True):
                weight = rank_one(weight, value, used[i], mean[i], moment)
                advance(1)
        of.put(weight)
        found.append(new)
    return found


def all_at_once(work: Work, *, weight: float | None) -> list[Values]:
    """MEMIT's edits, spread over the maps from the lowest up; the model is left with them.

    Values are what the highest block gives. Each map takes an equal share of what is left to do there, with
    keys as the maps below it have changed them; `weight` is lambda, None `PER_INPUT` times a map's inputs.
    """
    last, found = work.maps[-1].block, []
    whole = work.model.layout.module(f"block.{last}")
    for numbers in work.portions():
        requests = [work.requests[i] for i in numbers]
        bare = [request.example for request in requests]
        _, start = at_tokens(work.model, whole, last, bare)
        new = work.values(Place(whole, last), numbers, start)
        wanted = start + new.added  # [m, width]
        for i, (of, moment) in enumerate(zip(work.maps, work.moments, strict=True)):
            _, keys = averaged(work.model, of, requests)
            _, now = at_tokens(work.model, whole, last, bare)
            share = (wanted - now) / (len(work.maps) - i)
            amount = PER_INPUT * of.shape[1] if weight is None else weight
            of.put(spread(of.exact(), keys.T, share.T, moment, amount))
        found.append(new)
    return found
