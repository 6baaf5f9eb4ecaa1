"""Causal tracing: which states bring the gap back after the prompt's subject was made unreadable.

Meng et al. 2022 (ROME), as DAMA (Limisiewicz et al. 2024) uses it for gender. Gaussian noise on the
embeddings of the subject's tokens takes away who the prompt is about; then one state of the clean run is put
back, a block's output at one token, and the model runs on. The indirect effect is how far the signed gap
``P(g1) - P(g2)`` returns, as a share of how far the noise moved it (see `evenhand.locators._signed`; for k
groups the vector of their probabilities minus the mean).

A state holds all that the blocks below it have written, so the map of single states, [block x token kind] in
the details, shows where the information *is*: at the subject's last token in low blocks, at the prompt's last
token in high ones. A block's score is what *it* adds: its own contribution (output minus input) of the clean
run is put back at all tokens at once, on top of the noisy input. With ``part=mlp`` or ``part=attention`` both
are about that half of each block.

Of the published code three things are not copied. Every prompt gets the same noise there, from a fixed seed;
here each prompt and draw has its own, and each draw is compared with its own noisy run. Its default noise of
0.06 fits one model; here it is three standard deviations of the subjects' own embeddings, as in ROME. And
where DAMA regresses the effects on ratings of the professions, the prompt's own effect is the reference here,
for which no ratings are needed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from evenhand.locators._probing import BATCH, FLOOR, LeftToRight, batches, normalised_gap, site_scores
from evenhand.locators._signed import along, signed_gap
from evenhand.models.rows import Pass, opened_pass
from evenhand.progress import task
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.hooks import Replace
    from evenhand.locators import Outcome
    from evenhand.models import OpenModel
    from evenhand.models.stage import Stage

KINDS = ("subject_first", "subject_middle", "subject_last", "between", "last")
"""Of a prompt's tokens from its subject on; a subject of one token has its last alone."""
READING = (
    "The share of the subject's effect on the signed gap that comes back when the {what} of the clean prompt "
    "is put back, with noise on the subject's embeddings."
)


@dataclass(frozen=True)
class CausalTracing(LeftToRight):
    """Rank blocks by how much of the gap their contribution restores under noise on the subject.

    Attributes:
        part: what is put back: the whole ``block``'s, or only that of its ``attention`` or ``mlp``.
        noise: standard deviation of the noise, in units of the embeddings; None is 3 times theirs.
        draws: noise draws for each prompt; 10 in the published code.
        prompts: so many of the probes, drawn with the seed; up to 1000 in the published code.
    """

    part: Literal["block", "attention", "mlp"] = "block"
    noise: float | None = None
    draws: int = 3
    prompts: int = 64

    name: ClassVar[str] = "causal_tracing"
    specific: ClassVar[bool] = True
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.HIDDEN})
    fits_on: ClassVar[Kinds] = (Example,)

    def __post_init__(self) -> None:
        check_numbers("causal_tracing", self, whole=("draws", "prompts"), from_zero=("noise",))

    def stages(self, model: OpenModel, probes: Sequence[Example]) -> tuple[Stage, ...]:
        """What it takes: of a batch what every block, or that half of it, receives and gives."""
        from evenhand.models.stage import PROBED, Stage

        states = 1 if self.part == "block" else 2  # a block receives what the one below it gives
        return (
            Stage(
                changed=0,
                backward=False,
                rows=BATCH,
                tokens=PROBED,
                length=PROBED // BATCH,
                tables=2,
                states=states,
            ),
        )

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None = None, *, seed: int
    ) -> Attribution:
        """Trace every block; `seed` draws the prompts and the noise.

        With an `outcome` a block's score is how far that returns, in place of the share of the signed gap.

        Raises:
            BadModel: the model gives no hidden states, reads in both directions, or cannot score the terms.
            BadData: a prompt does not say where its subject stands.
        """
        opened = self.opened(model)
        chosen = some(probes, self.prompts, seed)
        traced = _trace(opened, chosen, self, seed)
        scores = traced.scores(outcome)
        base = float(normalised_gap(traced.clean))
        return Attribution(
            locator=spec_of("causal_tracing", self),
            specific=self.specific,
            scores=site_scores(opened.layout.blocks(), scores),
            reading=READING.format(what="block's contribution" if self.part == "block" else self.part),
            claims=base >= FLOOR and max(scores) > 0,
            details={
                "outcome": base,
                "prompts": len(chosen),
                "noise": traced.noise,
                "moved": traced.moved(),
                "tokens": list(KINDS),
                "map": traced.map(),
            },
        )


def some(probes: Sequence[Example], most: int, seed: int) -> list[Example]:
    """At most `most` of the probes, drawn with `seed` whatever their order."""
    return sorted(probes, key=lambda e: _number(f"{seed} {e.id} {e.context}"))[:most]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


@dataclass
class _Traced:
    """What was found: probabilities [N, k] of the clean run, and of every draw noisy and restored."""

    noise: float
    clean: Tensor
    noisy: list[Tensor]
    restored: list[list[Tensor]]  # of every draw those of every block
    back: dict[tuple[int, str], float]  # sum of r . d for a block and a kind of token
    out: dict[str, float]  # sum of d . d for a kind of token

    def scores(self, outcome: Outcome | None) -> list[float]:
        """Each block's share, or with an `outcome` how far it returns, a mean over the draws."""
        draws = list(zip(self.noisy, self.restored, strict=True))
        blocks = range(len(self.restored[0]))
        if outcome is not None:
            rise = [[float(outcome(found[b]) - outcome(noisy)) for noisy, found in draws] for b in blocks]
            return [sum(values) / len(draws) for values in rise]
        whole = sum(float(along(d, d).sum()) for d in (self._away(noisy) for noisy in self.noisy))
        back = [
            sum(
                float(along(signed_gap(found[b]) - signed_gap(noisy), self._away(noisy)).sum())
                for noisy, found in draws
            )
            for b in blocks
        ]
        return [value / whole if whole else 0.0 for value in back]

    def moved(self) -> float:
        """The root mean square of how far the noise moves ``P(g1) - P(g2)``, over prompts and draws."""
        squares = [float(along(d, d).mean()) for d in (self._away(noisy) for noisy in self.noisy)]
        return float((2 * sum(squares) / len(squares)) ** 0.5)

    def map(self) -> list[list[float | None]]:
        """The share that a single state restores, [blocks][kinds]; None for a kind that no prompt has."""
        return [
            [self.back[b, kind] / whole if (whole := self.out.get(kind, 0.0)) else None for kind in KINDS]
            for b in range(len(self.restored[0]))
        ]

    def _away(self, noisy: Tensor) -> Tensor:
        return signed_gap(self.clean) - signed_gap(noisy)


def _trace(model: OpenModel, probes: Sequence[Example], options: CausalTracing, seed: int) -> _Traced:
    import torch

    from evenhand.scoring.forward import evaluating

    found: list[_Traced] = []
    with torch.no_grad(), evaluating(model.module):
        passes = [opened_pass(model, batch) for batch in batches(probes)]
        noise = options.noise if options.noise is not None else 3 * _spread(passes)
        with task("tracing", len(passes) * options.draws, unit="pass") as advance:
            for one in passes:
                found.append(_traced(_Batch(one, options.part), noise, options.draws, seed, advance))
    sums: dict[tuple[int, str], float] = defaultdict(float)
    out: dict[str, float] = defaultdict(float)
    for part in found:
        for key, value in part.back.items():
            sums[key] += value
        for kind, value in part.out.items():
            out[kind] += value
    draws = range(options.draws)
    return _Traced(
        noise,
        torch.cat([part.clean for part in found]),
        [torch.cat([part.noisy[i] for part in found]) for i in draws],
        [
            [torch.cat([part.restored[i][b] for part in found]) for b in range(model.layout.n_blocks)]
            for i in draws
        ],
        sums,
        out,
    )


def _spread(passes: Sequence[Pass]) -> float:
    """The standard deviation of the embeddings of all subjects' tokens."""
    import torch

    return float(torch.cat([one.subject_embeddings() for one in passes]).float().std())


class _Batch:
    """One batch: its clean run, and runs with noise in which something of the clean one is put back."""

    def __init__(self, one: Pass, part: str) -> None:
        self.one, self.part = one, part
        layout = one.model.layout
        self.blocks = layout.blocks()
        self.sites = [site if part == "block" else f"{site}.{part}" for site in self.blocks]
        self.clean, self.seen = one.run(observed=self.sites)

    def noise(self, size: float, seed: int) -> Tensor:
        """Noise [rows, width, embedding] on the subjects' tokens; equal prompts get the same."""
        import torch

        rows, positions, owners = self.one.spread([list(r) for r in self.one.placed.subjects])
        states = self.one.embeddings
        made = torch.zeros_like(states)
        drawn: dict[tuple[int, int], Tensor] = {}
        for row, position, owner in zip(rows.tolist(), positions.tolist(), owners.tolist(), strict=True):
            place = position - self.one.placed.shifts[row]
            if (owner, place) not in drawn:
                text = f"{seed} {place} {self.one.examples[owner].context}"
                chance = torch.Generator().manual_seed(_number(text))
                drawn[owner, place] = torch.randn(states.shape[-1], generator=chance)
            made[row, position] = size * drawn[owner, place].to(made)
        return made

    def whole(self, site: str) -> Replace:
        """Put back what `site` adds, at all tokens."""
        given, output = self.seen[site]
        added = output - given if self.part == "block" else output
        return (lambda _, now: now + added) if self.part == "block" else (lambda *_: added)

    def single(self, site: str, places: tuple[Tensor, Tensor]) -> Replace:
        """Put back the output of `site` at one token of each prompt."""
        clean = self.seen[site][1]

        def put_back(output: Tensor, _: Tensor) -> Tensor:
            changed = output.reshape(clean.shape).clone()
            changed[places] = clean[places]
            return changed.reshape(output.shape)

        return put_back


def _traced(batch: _Batch, size: float, draws: int, seed: int, advance: Callable[[int], None]) -> _Traced:
    found = _Traced(size, batch.clean, [], [], defaultdict(float), defaultdict(float))
    slots = _slots(batch.one)
    for draw in range(draws):
        noise = batch.noise(size, _number(f"{seed} {draw}"))
        noisy = batch.one.run(noise)[0]
        away = signed_gap(batch.clean) - signed_gap(noisy)  # d, [N, k]
        found.noisy.append(noisy)
        found.restored.append([batch.one.run(noise, {site: batch.whole(site)})[0] for site in batch.sites])
        for kinds, rows, positions in slots:
            for number, kind in enumerate(kinds):
                if kind is not None:
                    found.out[kind] += float(along(away, away)[number])
            for b, site in enumerate(batch.sites):
                p = batch.one.run(noise, {site: batch.single(site, (rows, positions))})[0]
                back = along(signed_gap(p) - signed_gap(noisy), away)  # [N]
                for number, kind in enumerate(kinds):
                    if kind is not None:
                        found.back[b, kind] += float(back[number])
        advance(1)
    return found


def _slots(one: Pass) -> list[tuple[list[str | None], Tensor, Tensor]]:
    """The tokens from the subject on, one of each prompt at a time: their kinds [N], rows and positions."""
    ends, subjects = one.placed.ends, one.placed.subjects
    longest = max(end - subject.start + 1 for end, subject in zip(ends, subjects, strict=True))
    found = []
    for step in range(longest):
        places = [
            subject.start + step if subject.start + step <= end else None
            for end, subject in zip(ends, subjects, strict=True)
        ]
        kinds = [
            None if place is None else _kind(place, subject, end)
            for place, subject, end in zip(places, subjects, ends, strict=True)
        ]
        rows, positions, _ = one.at(places)
        found.append((kinds, rows, positions))
    return found


def _kind(place: int, subject: range, end: int) -> str:
    if place == subject[-1]:
        return "subject_last"
    if place in subject:
        return "subject_first" if place == subject[0] else "subject_middle"
    return "last" if place == end else "between"


component = CausalTracing
