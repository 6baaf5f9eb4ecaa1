"""The values that edits write: what to add at one token so that the answers are as wanted.

For each request (Meng et al. 2022, section 3.1; DAMA's offsets are found in the same way)

    delta = argmin  mean over contexts of the aim's loss
                    + kl_weight KL(base || now) after "SUBJECT is a" + decay ||delta|| / ||v0||²

by Adam, with ||delta|| at most `clamp` ||v0||, v0 being what stands there now. A
length weighs over the square of ||v0||, as in both published codes. The requests of a
batch have nothing to do with one another: one pass serves them all, and one that is done leaves the batch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from evenhand.errors import BadModel
from evenhand.mitigations._editing.aims import Aim
from evenhand.mitigations._editing.passes import Passages, Place, batch_tokens
from evenhand.mitigations._editing.subjects import Request
from evenhand.models import OpenModel
from evenhand.progress import task
from evenhand.records import Example
from evenhand.scoring.forward import SelectedHead, device_of
from evenhand.scoring.subjects import nesting
from evenhand.scoring.terms import Outcomes

_BETAS, _EPS = (0.9, 0.999), 1e-8
_ROWS = 256  # rows of one pass, at most


@dataclass(frozen=True)
class Search:
    """How a value is sought: looks at the loss, a step of Adam before each but the first.

    `enough` is how near to the loss's floor, in nats, it may stop.
    """

    steps: int
    lr: float
    kl: float
    decay: float
    clamp: float
    enough: float


@dataclass(frozen=True)
class Values:
    """The additions [n, width], float64, and each request's first and last loss."""

    added: Tensor
    first: tuple[float, ...]
    last: tuple[float, ...]

    @property
    def nbytes(self) -> int:
        """The size of the additions."""
        return self.added.nbytes

    def turned(self, signs: Tensor | None) -> Values:
        """The additions times the `signs` [n], +1 or -1, of a sham; None leaves them."""
        return self if signs is None else replace(self, added=self.added * signs[:, None])


def values(
    model: OpenModel, at: Place, requests: Sequence[Request], start: Tensor, *, aim: Aim, search: Search
) -> Values:
    """What to add for each request; `start` [n, width] is what stands there now.

    Raises:
        BadModel: a loss is not finite.
    """
    device = device_of(model.module)
    added = torch.zeros(start.shape, dtype=torch.float64)
    first, last = [math.nan] * len(requests), [math.nan] * len(requests)
    groups = batches(model, requests)
    with task("values of edits", len(requests), unit="edit") as advance:
        for chosen in groups:
            numbers = torch.tensor(chosen)
            batch = _Batch(model, at, [requests[i] for i in chosen], aim.some(numbers), search)
            norms = start[numbers].norm(dim=1).float().to(device)  # [m]
            found, begun, ended = minimised(batch.loss, norms, start.shape[1], aim.floor, search)
            added[numbers] = found.double().cpu()
            for i, number in enumerate(chosen):
                first[number], last[number] = begun[i], ended[i]
            advance(len(chosen))
    return Values(added, tuple(first), tuple(last))


def minimised(
    loss: Callable[[Tensor, Tensor], Tensor], norms: Tensor, width: int, floor: float, search: Search
) -> tuple[Tensor, list[float], list[float]]:
    """The additions [m, width] of m requests, their first and their last loss.

    ``loss(added, active)`` gives that of the requests of the numbers `active`, whose rows `added` holds.
    `norms` [m] are those of v0. As in the published code the last step only measures.

    Raises:
        BadModel: a loss is not finite.
    """
    added = torch.zeros(len(norms), width, device=norms.device)
    mean, square = torch.zeros_like(added), torch.zeros_like(added)
    first, last = [math.nan] * len(norms), [math.nan] * len(norms)
    active = torch.arange(len(norms), device=norms.device)
    for step in range(1, search.steps + 1):
        now = added[active].requires_grad_()
        with torch.enable_grad():
            each = loss(now, active)
            each = each + search.decay * now.norm(dim=1) / norms[active].clamp_min(1e-12) ** 2
            (slope,) = torch.autograd.grad(each.sum(), now)
        for number, value in zip(active.tolist(), each.tolist(), strict=True):
            first[number] = value if step == 1 else first[number]
            last[number] = value
        if not each.isfinite().all():
            raise BadModel(
                "The loss of an edit is not finite.",
                mend="Lower value_lr, or check the model with `measure`.",
            )
        going = (each.detach() - floor >= search.enough) & (step < search.steps)
        active, slope = active[going], slope[going]
        if not len(active):
            break
        mean[active] = _BETAS[0] * mean[active] + (1 - _BETAS[0]) * slope
        square[active] = _BETAS[1] * square[active] + (1 - _BETAS[1]) * slope**2
        bias = [1 - beta**step for beta in _BETAS]
        moved = added[active] - search.lr * (mean[active] / bias[0]) / (
            (square[active] / bias[1]).sqrt() + _EPS
        )
        most = search.clamp * norms[active]
        added[active] = moved * (most / moved.norm(dim=1).clamp_min(1e-12)).clamp_max(1)[:, None]
    return added, first, last


class _Batch:
    """The loss of some requests, in passes over their contexts, and over what their subjects are."""

    def __init__(
        self, model: OpenModel, at: Place, requests: Sequence[Request], aim: Aim, search: Search
    ) -> None:
        self._n, self._each = len(requests), len(requests[0].contexts)
        self._aim, self._kl = aim, search.kl
        numbered = list(enumerate(requests))
        self._said = _apart(model, at, [(i, c) for i, request in numbered for c in request.contexts])
        self._held: list[tuple[Passages, Tensor]] = []
        if search.kl:
            for passages in _apart(model, at, [(i, request.essence) for i, request in numbered]):
                with torch.no_grad():
                    every = range(len(passages.owners))
                    self._held.append(
                        (passages, _whole(passages.prompts.outcomes(every, passages.run(None))))
                    )

    def loss(self, added: Tensor, active: Tensor) -> Tensor:
        """Of the requests `active` [a], with `added` [a, width]: [a] in nats."""
        full = added.new_zeros(self._n, added.shape[1]).index_copy(0, active, added)
        place = {number: i for i, number in enumerate(active.tolist())}
        total = added.new_zeros(len(place))
        for passages in self._said:
            rows = [row for row, owner in enumerate(passages.owners) if owner in place]
            if rows:
                now = passages.prompts.outcomes(rows, passages.run(full))
                owners = torch.tensor([passages.owners[row] for row in rows])
                each = self._aim.some(owners).rows(now) / self._each
                total = total.index_add(0, _placed(passages, rows, place).to(each.device), each.to(total))
        for passages, before in self._held:
            rows = [row for row, owner in enumerate(passages.owners) if owner in place]
            if rows:
                after = _whole(passages.prompts.outcomes(rows, passages.run(full)))
                apart = self._kl * _kl(before[rows], after)
                total = total.index_add(0, _placed(passages, rows, place).to(apart.device), apart.to(total))
        return total


def _apart(model: OpenModel, at: Place, given: Sequence[tuple[int, Example]]) -> list[Passages]:
    """Passages of examples, each with its request's number; those that would share a row are apart."""
    depth = nesting([example.context for _, example in given])
    copies: Counter[str] = Counter()
    found: dict[tuple[int, int], list[tuple[int, Example]]] = {}
    for number, example in given:
        found.setdefault((depth[example.context], copies[example.context]), []).append((number, example))
        copies[example.context] += 1
    return [Passages(model, at, [e for _, e in part], [i for i, _ in part]) for part in found.values()]


def _placed(passages: Passages, rows: Sequence[int], place: Mapping[int, int]) -> Tensor:
    """The places of the requests that own `rows`."""
    return torch.tensor([place[passages.owners[row]] for row in rows])


def _whole(found: Outcomes) -> Tensor:
    """The log-probabilities of every outcome, [N, k + V]; minus infinity where one cannot be."""
    return torch.cat([found.log_p, found.log_rest], dim=1)


def _kl(before: Tensor, after: Tensor) -> Tensor:
    """KL(before || after) of each row in nats, [N, V] twice to [N]; outcomes that cannot be count nothing."""
    possible = before.isfinite()
    apart = torch.where(possible, before, 0.0) - torch.where(possible, after, 0.0)
    return torch.where(possible, before.exp() * apart, 0.0).sum(1)


def batches(model: OpenModel, requests: Sequence[Request]) -> list[list[int]]:
    """The numbers of requests that run together: none whose prompt or subject begins another's.

    Two prompts of one subject are in two batches: after "SUBJECT is a" they would share a row.
    """
    each = len(requests[0].contexts)
    words = max(len(c.context.split()) for r in requests for c in r.contexts)
    with SelectedHead(model.module) as head:
        most = max(1, min(head.room, batch_tokens(model) // (2 * words), _ROWS) // each)
    found: list[list[int]] = []
    texts: list[list[str]] = []
    for number, request in enumerate(requests):
        mine = [request.example.context, request.essence.context]
        place = next(
            (i for i, held in enumerate(texts) if len(found[i]) < most and not _meet(mine, held)), len(found)
        )
        if place == len(found):
            found.append([])
            texts.append([])
        found[place].append(number)
        texts[place] += mine
    return found


def _meet(mine: Sequence[str], held: Sequence[str]) -> bool:
    return any(a.startswith(b) or b.startswith(a) for a in mine for b in held)
