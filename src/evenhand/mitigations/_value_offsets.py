"""Offsets of an MLP's value that make a model say a term, for many prompts at once; and the MLP's keys.

For prompt p and group g the offset d is added to the output of one block's MLP at one token, and

    loss = mean over contexts of -ln P(g | context + p)  +  kl_factor KL(base || now after "SUBJECT is a")
           + v_weight_decay |d| / |v0|^2

is lowered by Adam, |d| kept at most ``clamp_norm_factor`` |v0|, with v0 the MLP's own output there; an offset
whose loss is below 0.05 stays as it is (ROME, Meng et al. 2022; DAMA, Limisiewicz et al. 2024). The losses of
prompts do not depend on each other and Adam works number by number, so a batch gives what single prompts
give.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from evenhand.errors import BadData
from evenhand.hooks import Replace, feed, observe, patch
from evenhand.models.projections import Projection, output_projection
from evenhand.models.rows import Pass, opened_pass
from evenhand.progress import task
from evenhand.records import Example, Generation, Sampling
from evenhand.scoring.blocks import Handed, given_below, seen_by
from evenhand.scoring.forward import evaluating
from evenhand.scoring.subjects import check_spans, nesting
from evenhand.scoring.tokens import Encoder
from evenhand.training.parameters import training_flags_kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evenhand.models import OpenModel
    from evenhand.scoring.terms import Outcomes

BATCH = 32
ENOUGH = 0.05
"""An offset with a loss below it is not changed any more."""
LONGEST = 10
"""Tokens of a generated context."""
_CLOSE = 1e-4
Token = Literal["subject_last", "last"]


@dataclass(frozen=True)
class Descent:
    """How an offset is found; the names are those of the published settings, lr is Adam's."""

    v_num_grad_steps: int = 20
    v_lr: float = 0.5
    v_weight_decay: float = 0.5
    kl_factor: float = 0.0625
    clamp_norm_factor: float = 4.0


@dataclass(frozen=True)
class Found:
    """Of n prompts the keys [n, inner], the groups' offsets [n, k, width], the first and last loss."""

    keys: Tensor
    offsets: Tensor
    first_loss: float
    last_loss: float


def prefixes(model: OpenModel, examples: Sequence[Example], number: int) -> list[str]:
    """Contexts to put before each prompt: the empty one and at most `number` that the model writes itself.

    Each ends before the first term of a group, and one that does not fit before every prompt is left out. The
    same model writes the same ones.
    """
    encoder = Encoder.of(model.module, model.tokenizer)
    asked = "" if encoder.marked else "The"
    wanted = [Generation(asked, Sampling(max_tokens=LONGEST, temperature=1.0))] * number
    said = {form.strip().lower() for e in examples for forms in e.terms for form in forms}
    longest = max((e.context for e in examples), key=len)
    found = [""]
    for answer in model.answer(wanted) if wanted else ():
        words = f"{asked} {getattr(answer, 'text', '')}".split()
        text = " ".join(takewhile(lambda word: word.lower().strip(".,") not in said, words)).rstrip(".")
        if text and _fits(encoder, f"{text}. {longest}"):
            found.append(f"{text}. ")
    return list(dict.fromkeys(found))


def _fits(encoder: Encoder, text: str) -> bool:
    try:
        encoder.prompts([text], room=LONGEST)
    except BadData:
        return False
    return True


def before(example: Example, prefix: str) -> Example:
    """The example with a context before its prompt."""
    assert example.span is not None  # checked
    start, end = (place + len(prefix) for place in example.span)
    return dataclasses.replace(example, context=prefix + example.context, span=(start, end))


def about(example: Example) -> Example:
    """The prompt that says nothing but what the subject is: ``The nurse is a``."""
    assert example.span is not None  # checked
    return dataclasses.replace(example, context=f"{example.context[: example.span[1]]} is a")


def found(
    model: OpenModel,
    block: str,
    examples: Sequence[Example],
    contexts: Sequence[str],
    how: tuple[Descent, Token],
) -> Found:
    """Keys and offsets of `examples` at the MLP of `block`, in their order; the model is left as it was.

    Raises:
        BadData: a prompt does not say where its subject stands.
        BadModel: the MLP has no single output matrix, or the terms cannot be scored.
    """
    check_spans(examples)
    projection = output_projection(model, block, "mlp")
    order = _rounds(examples)
    parts: list[Found] = []
    with (
        evaluating(model.module),
        training_flags_kept(model.module),
        task(f"finding values in {block}", len(examples), unit="prompt") as advance,
    ):
        model.module.requires_grad_(False)
        for start in range(0, len(order), BATCH):
            chosen = [examples[i] for i in order[start : start + BATCH]]
            parts.append(_Batch(model, block, projection, chosen, (contexts, how[1])).found(how[0]))
            advance(len(chosen))
    back = torch.tensor(order).argsort()
    return Found(
        torch.cat([part.keys for part in parts])[back],
        torch.cat([part.offsets for part in parts])[back],
        sum(part.first_loss * len(part.keys) for part in parts) / len(order),
        sum(part.last_loss * len(part.keys) for part in parts) / len(order),
    )


def _rounds(examples: Sequence[Example]) -> list[int]:
    """The examples' numbers, the first of every subject, then the second of every subject, and so on."""
    seen: dict[str, int] = {}
    turns = []
    for i, example in enumerate(examples):
        turns.append((seen.setdefault(about(example).context, 0), i))
        seen[about(example).context] += 1
    return [i for _, i in sorted(turns)]


@dataclass(frozen=True)
class _Part:
    """Rows that run together: whose each is [m], in which context; `kl` marks those about a subject."""

    rows: Pass
    owners: Tensor
    bare: Tensor
    kl: Tensor
    handed: Handed | None
    where: tuple[Tensor, Tensor, Tensor]

    def outcomes(self) -> Outcomes:
        """What the model says after every row's prompt."""
        return self.rows.prompts.outcomes(range(len(self.rows.examples)))


class _Batch:
    """Prompts whose offsets are found together, each in all its contexts."""

    def __init__(
        self,
        model: OpenModel,
        block: str,
        projection: Projection,
        examples: Sequence[Example],
        reading: tuple[Sequence[str], Token],
    ) -> None:
        self.model, self.block, self.projection = model, block, projection
        self.examples, (self.contexts, self.token) = examples, reading
        self.depth = model.layout.blocks().index(block)
        with torch.no_grad():
            self.parts = [self._part(chosen) for chosen in self._levels()]
            self.keys, self.values = self._read()
        self.base = [self._rest(part) for part in self.parts]

    def _levels(self) -> list[list[tuple[int, Example, str]]]:
        """All prompts in all contexts, apart where one begins with another or two are the same."""
        every = [(i, before(e, c), c) for i, e in enumerate(self.examples) for c in self.contexts]
        every += [(i, about(e), "kl") for i, e in enumerate(self.examples)]
        depth = nesting([example.context for _, example, _ in every])
        found: dict[tuple[int, int], list[tuple[int, Example, str]]] = {}
        copies: dict[str, int] = {}
        for one in every:
            context = one[1].context
            copies[context] = copies.get(context, -1) + 1
            found.setdefault((depth[context], copies[context]), []).append(one)
        return list(found.values())

    def _part(self, chosen: Sequence[tuple[int, Example, str]]) -> _Part:
        rows = opened_pass(self.model, [example for _, example, _ in chosen])
        placed = rows.placed
        tokens = zip(placed.subjects, placed.ends, strict=True)
        ends = [s[-1] if self.token == "subject_last" else e for s, e in tokens]
        return _Part(
            rows,
            torch.tensor([i for i, _, _ in chosen]),
            torch.tensor([c == "" for _, _, c in chosen]),
            torch.tensor([c == "kl" for _, _, c in chosen]),
            self._below(rows),
            rows.at(ends),
        )

    def _below(self, rows: Pass) -> Handed | None:
        """What the block below hands on, where a pass that begins there gives the same probabilities."""
        if not self.depth:
            return None
        blocks = self.model.layout.as_blocks()
        with seen_by(blocks) as seen:
            whole = rows.run()[0]
        handed = seen[self.depth - 1][1]
        with given_below(blocks, self.depth, handed):
            same = float((rows.run()[0] - whole).abs().max()) <= _CLOSE
        return handed if same else None

    def _read(self) -> tuple[Tensor, Tensor]:
        """Each prompt's key, a mean over its contexts [n, inner], and its value without one [n, width]."""
        n = len(self.examples)
        keys, values = torch.zeros(n, self.projection.width), torch.zeros(n, len(self.projection.matrix()))
        for part in self.parts:
            site, states = f"{self.block}.mlp", list[Tensor]()
            with (
                self._run(part),
                feed(self.projection.module, states.append),
                observe(self.model, [site]) as seen,
            ):
                part.outcomes()
            rows, positions, variants = part.where
            for state, into, wanted in ((states[0], keys, ~part.kl), (seen[site][1], values, part.bare)):
                flat = (
                    state.reshape(-1, part.rows.placed.width, state.shape[-1])[rows, positions].float().cpu()
                )
                once = _first(variants)  # a prompt of several rows is read in one of them
                keep = once[wanted[variants.cpu()[once]]]
                into.index_add_(0, part.owners[variants.cpu()[keep]], flat[keep])
        return keys / len(self.contexts), values

    @contextmanager
    def _run(self, part: _Part) -> Iterator[None]:
        with ExitStack() as stack:
            if part.handed is not None:
                blocks = self.model.layout.as_blocks()
                stack.enter_context(given_below(blocks, self.depth, part.handed))
            yield

    def _rest(self, part: _Part) -> Tensor:
        """The base's distribution over all outcomes, log [m, k + V]."""
        with torch.no_grad(), self._run(part):
            return _whole(part.outcomes())

    def found(self, how: Descent) -> Found:
        """The offsets of every group."""
        made = [self._descend(group, how) for group in range(len(self.examples[0].terms))]
        offsets = torch.stack([offset for offset, _, _ in made], dim=1)
        first, last = (sum(float(one[i]) for one in made) / len(made) for i in (1, 2))
        return Found(self.keys, offsets, first, last)

    def _descend(self, group: int, how: Descent) -> tuple[Tensor, Tensor, Tensor]:
        device = self.parts[0].where[0].device
        size = self.values.norm(dim=1).clamp_min(1e-6).to(device)  # |v0|, [n]
        offset = torch.zeros_like(self.values, device=device).requires_grad_()
        optimiser = torch.optim.Adam([offset], lr=how.v_lr)
        first = last = torch.zeros(())
        for step in range(how.v_num_grad_steps + 1):
            with torch.enable_grad():
                loss = self._loss(offset, group, how) + how.v_weight_decay * _length(offset) / size.square()
                moving = loss.detach() >= ENOUGH
                first, last = (loss.detach().mean() if not step else first), loss.detach().mean()
                if step == how.v_num_grad_steps or not bool(moving.any()):
                    break
                optimiser.zero_grad()
                (loss * moving).sum().backward()
            kept = offset.detach().clone()
            optimiser.step()
            with torch.no_grad():
                most = how.clamp_norm_factor * size
                offset *= (most / offset.norm(dim=1).clamp_min(1e-12)).clamp_max(1.0)[:, None]
                offset[~moving] = kept[~moving]
        return offset.detach().cpu(), first.cpu(), last.cpu()

    def _loss(self, offset: Tensor, group: int, how: Descent) -> Tensor:
        """Each prompt's loss without the decay, [n]."""
        total = torch.zeros(len(offset), dtype=offset.dtype, device=offset.device)
        for part, base in zip(self.parts, self.base, strict=True):
            with self._run(part), patch(self.model, f"{self.block}.mlp", self._adding(part, offset)):
                outcomes = part.outcomes()
                said = -outcomes.log_p[:, group] / len(self.contexts)
                apart = how.kl_factor * _kl(base, _whole(outcomes))
            kl = part.kl.to(offset.device)
            total = total.index_add(0, part.owners.to(offset.device), torch.where(kl, apart, said).to(total))
        return total

    def _adding(self, part: _Part, offset: Tensor) -> Replace:
        rows, positions, variants = part.where
        mine = part.owners.to(offset.device)[variants]

        def add(output: Tensor, _: Tensor) -> Tensor:
            wide = output.reshape(-1, part.rows.placed.width, output.shape[-1]).clone()
            wide[rows, positions] = wide[rows, positions] + offset[mine].to(wide)
            return wide.reshape(output.shape)

        return add


def _length(offset: Tensor) -> Tensor:
    """The length of each row, [n, width] to [n], with the gradient 0 at 0."""
    return (offset.square().sum(dim=1) + 1e-12).sqrt() - 1e-6


def _first(numbers: Tensor) -> Tensor:
    """The first place of each of the `numbers`."""
    seen: dict[int, int] = {}
    for place, number in enumerate(numbers.tolist()):
        seen.setdefault(number, place)
    return torch.tensor(list(seen.values()))


def _whole(outcomes: Outcomes) -> Tensor:
    return torch.cat([outcomes.log_p, outcomes.log_rest], dim=1)


def _kl(log_q: Tensor, log_p: Tensor) -> Tensor:
    """KL(q || p) of each row in nats, [m, V] twice to [m]; outcomes that cannot be (-inf) count nothing."""
    possible = log_q > -torch.inf
    ratio = torch.where(possible, log_q, 0.0) - torch.where(possible, log_p, 0.0)
    return (torch.where(possible, log_q.exp(), 0.0) * ratio).sum(dim=1)
