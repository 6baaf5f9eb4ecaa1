"""Neurons: which neurons of the MLPs separate the prompts' gaps, by gradient times activation.

A neuron is one number that an MLP's output matrix receives. With h_j(p) its value on prompt p where the term
is predicted (or at the subject's last token), m_j its mean over prompts, y_p the signed gap of the prompt
(see `evenhand.locators._signed`) and t_p = y_p - mean y, its share of the spread of the gaps is, to first
order,

    a_j = sum_p  (h_j(p) - m_j)  d(y_p . t_p) / d h_j   /   sum_p t_p . t_p

(gradient times activation, with the mean as the baseline). ``method=integrated`` takes the mean gradient on
the straight way from the baseline to the value, for a block's neurons at a time (Sundararajan et al. 2017;
Dai et al. 2022, knowledge neurons): the shares of a block then add up to exactly what is lost when all of its
neurons are held at their means.

A block's score is the sum over its neurons; the details list the largest of them. Where all of them together
explain less than a tenth of the spread, the bias is elsewhere (in the attention, say) and nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evenhand.locators._probing import BATCH, FLOOR, LeftToRight, batches, normalised_gap, site_scores
from evenhand.locators._signed import along, signed_gap
from evenhand.models.rows import Pass, opened_pass
from evenhand.progress import task
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.locators import Outcome
    from evenhand.models import OpenModel
    from evenhand.models.projections import Projection
    from evenhand.models.stage import Stage

RELEVANT = 0.1
"""The share of the spread that a block's neurons must explain for a claim."""
READING = (
    "The share of the spread of the prompts' signed gaps that the neurons of the block's MLP explain, "
    "{how}. What attention writes is not in it."
)
Places = tuple["Tensor", "Tensor"]
Target = Callable[["Tensor", Sequence[int]], "Tensor"]
"""Group probabilities [N, k] and the prompts' numbers to the scalar that is explained."""


@dataclass(frozen=True)
class Neurons(LeftToRight):
    """Rank blocks by the share of the gaps' spread that their MLP's neurons explain.

    Attributes:
        method: ``gradient`` (first order) or ``integrated`` (exact for each block's neurons together).
        at: read where the term is predicted (``last``), or at the ``subject``'s last token.
        steps: of the integral, its points.
        top: how many neurons the details list.
    """

    method: Literal["gradient", "integrated"] = "gradient"
    at: Literal["last", "subject"] = "last"
    steps: int = 8
    top: int = 20

    name: ClassVar[str] = "neurons"
    specific: ClassVar[bool] = True
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.HIDDEN, Ability.GRADIENTS})
    fits_on: ClassVar[Kinds] = (Example,)

    def __post_init__(self) -> None:
        check_numbers("neurons", self, whole=("steps", "top"))

    def stages(self, model: OpenModel, probes: Sequence[Example]) -> tuple[Stage, ...]:
        """What it takes: gradients of every neuron of a batch."""
        from evenhand.models.stage import PROBED, Stage

        return (Stage(changed=0, rows=BATCH, tokens=PROBED, length=PROBED // BATCH, neurons=1, padded=True),)

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None = None, *, seed: int
    ) -> Attribution:
        """Attribute to every neuron; nothing is random. An `outcome` must be a mean over prompts.

        Raises:
            BadModel: the model gives no gradients, reads in both directions, or its MLPs are mixtures.
            BadData: a prompt does not say where its subject stands.
        """
        opened = self.opened(model)
        read = _read(opened, probes, at_subject=self.at == "subject")
        target = read.spread_target() if outcome is None else read.outcome_target(outcome)
        if self.method == "integrated":
            shares = {site: read.integrated(site, target, self.steps) for site in read.blocks}
        else:
            shares = read.first_order(target)
        scores = [float(values.sum()) for values in shares.values()]
        base = float(normalised_gap(read.probabilities))
        return Attribution(
            locator=spec_of("neurons", self),
            specific=self.specific,
            scores=site_scores(read.blocks, scores),
            reading=READING.format(
                how="by integrated gradients" if self.method == "integrated" else "to first order"
            ),
            claims=base >= FLOOR and max(scores) >= RELEVANT,
            details={"outcome": base, "prompts": len(probes), "neurons": _largest(shares, self.top)},
        )


def _largest(shares: dict[str, Tensor], top: int) -> list[dict[str, Any]]:
    """The neurons of the largest absolute shares, of all blocks together."""
    every = [
        (float(value), site, number)
        for site, values in shares.items()
        for number, value in enumerate(values.tolist())
    ]
    every.sort(key=lambda one: (-abs(one[0]), one[1], one[2]))
    return [{"block": site, "neuron": number, "share": value} for value, site, number in every[:top]]


@dataclass(frozen=True)
class _Read:
    """What the neurons are on all prompts.

    Attributes:
        passes, places, numbers: the batches, where in each the neurons are read, and which prompts it has.
        probabilities: [N, k] in the order of the batches.
        projections: of each block.
        means: of each block's neurons, [inner].
    """

    model: OpenModel
    passes: Sequence[Pass]
    places: Sequence[Places]
    numbers: Sequence[Sequence[int]]
    probabilities: Tensor
    projections: dict[str, Projection]
    means: dict[str, Tensor]

    @property
    def blocks(self) -> tuple[str, ...]:
        """Every block."""
        return tuple(self.projections)

    def spread_target(self) -> Target:
        """``sum_p y_p . t_p / sum_p t_p . t_p`` of some of the prompts."""
        gaps = signed_gap(self.probabilities)
        away = gaps - gaps.mean(dim=0, keepdim=True)  # t, [N, k]
        whole = along(away, away).sum().clamp_min(1e-30)
        return lambda p, numbers: along(signed_gap(p), away[list(numbers)]).sum() / whole

    def outcome_target(self, outcome: Outcome) -> Target:
        """The outcome, which is a mean over prompts, of some of them as a part of the whole mean."""
        n = len(self.probabilities)
        return lambda p, numbers: outcome(p) * len(numbers) / n

    def first_order(self, target: Target) -> dict[str, Tensor]:
        """Gradient times activation beyond the mean, summed over prompts: of each block [inner]."""
        found = {site: 0.0 * mean for site, mean in self.means.items()}
        with task("locating neurons", len(self.passes), unit="batch") as advance:
            for one, places, numbers in zip(self.passes, self.places, self.numbers, strict=True):
                values, gradients = self._gradients(one, numbers, target)
                for site in found:
                    h, g = values[site][places].double(), gradients[site][places].double()  # [m, inner]
                    found[site] += ((h - self.means[site]) * g).sum(0)
                advance(1)
        return found

    def _gradients(
        self, one: Pass, numbers: Sequence[int], target: Target
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """All neurons [rows, width, inner] and the target's gradient in them."""
        import torch

        from evenhand.hooks import patch
        from evenhand.scoring.forward import evaluating

        detached = patch(self.model, "embeddings", lambda output, _: output.detach().requires_grad_())
        with torch.enable_grad(), evaluating(self.model.module), detached, _seen(self.projections) as raw:
            value = target(one.run()[0], numbers)
            gradients = torch.autograd.grad(value, [raw[site] for site in self.projections])
        wide = {site: _wide(x.detach(), one) for site, x in raw.items()}
        return wide, {site: _wide(g, one) for site, g in zip(self.projections, gradients, strict=True)}

    def integrated(self, site: str, target: Target, steps: int) -> Tensor:
        """The integral of the gradient from the means to the values, times the way: [inner]."""
        import torch

        from evenhand.hooks import feed
        from evenhand.scoring.forward import evaluating

        projection, mean = self.projections[site], self.means[site]
        found = 0.0 * mean
        with torch.enable_grad(), evaluating(self.model.module):
            for one, places, numbers in zip(self.passes, self.places, self.numbers, strict=True):
                for step in range(steps):
                    way = _Way(one, places, mean, (step + 0.5) / steps)  # midpoints
                    with feed(projection.module, way):
                        value = target(one.run()[0], numbers)
                    (gradient,) = torch.autograd.grad(value, way.leaf)
                    found += (way.length.double() * gradient[places].double()).sum(0) / steps
        return found


@dataclass
class _Way:
    """Puts neurons at `share` of the way from their means [inner] to their values, and remembers both.

    After a pass `leaf` holds all neurons, to differentiate in, and `length` [n, inner] the whole way.
    """

    one: Pass
    places: Places
    mean: Tensor
    share: float

    def __call__(self, x: Tensor) -> Tensor:
        wide = _wide(x.detach(), self.one)
        mean = self.mean.to(wide)
        self.length = wide[self.places] - mean
        changed = wide.clone()
        changed[self.places] = mean + self.share * self.length
        self.leaf = changed.requires_grad_()
        return self.leaf.reshape(x.shape)


@contextmanager
def _seen(projections: Mapping[str, Projection]) -> Iterator[dict[str, Tensor]]:
    """Inside, each pass fills the dict with the neurons of every block, as the model has them."""
    from evenhand.hooks import feed

    found: dict[str, Tensor] = {}

    def keep(site: str) -> Callable[[Tensor], None]:
        return lambda x: found.__setitem__(site, x)

    with ExitStack() as stack:
        for site, projection in projections.items():
            stack.enter_context(feed(projection.module, keep(site)))
        yield found


def _wide(x: Tensor, one: Pass) -> Tensor:
    """Neurons as [rows, width, inner], also where the model flattens rows and tokens."""
    return x.reshape(-1, one.placed.width, x.shape[-1])


def _read(model: OpenModel, probes: Sequence[Example], *, at_subject: bool) -> _Read:
    import torch

    from evenhand.models.projections import output_projection
    from evenhand.scoring.forward import evaluating

    projections = {site: output_projection(model, site, "mlp") for site in model.layout.blocks()}
    sums = {site: torch.zeros(p.width, dtype=torch.float64) for site, p in projections.items()}
    passes, places, numbers, values, count = [], [], [], [], 0
    with torch.no_grad(), evaluating(model.module):
        for batch in batches(probes):
            one = opened_pass(model, batch)
            ends = [s[-1] for s in one.placed.subjects] if at_subject else one.placed.ends
            rows, positions, _ = one.at(ends)
            with _seen(projections) as seen:
                values.append(one.run()[0])
            for site, x in seen.items():
                sums[site] = sums[site].to(x.device) + _wide(x, one)[rows, positions].double().sum(0)
            passes.append(one)
            places.append((rows, positions))
            numbers.append(range(count, count + len(batch)))
            count += len(batch)
    total = sum(len(rows) for rows, _ in places)
    means = {site: value / total for site, value in sums.items()}
    return _Read(model, passes, places, numbers, torch.cat(values), projections, means)


component = Neurons
