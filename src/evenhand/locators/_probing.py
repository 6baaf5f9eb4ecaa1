"""Common parts of the locators: batches of prompts, group probabilities, the default outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from evenhand.errors import BadData
from evenhand.models import Model, OpenModel, gives_weights, require
from evenhand.models.rows import require_left_to_right
from evenhand.progress import task
from evenhand.records import Ability, Example, SiteScore

if TYPE_CHECKING:
    from torch import Tensor

    Places = tuple[Tensor, Tensor]

# Below this mean normalised gap a model counts as unbiased: 0.1 is 55 : 45 instead of 50 : 50.
FLOOR = 0.1
BATCH = 32


def require_hidden(model: Any, needs: frozenset[Ability]) -> OpenModel:
    """The model as one whose hidden states can be read.

    Raises:
        BadModel: it lacks one of `needs`.
    """
    require(model, needs | {Ability.WEIGHTS}, of="this locator", instead=f"evenhand measure {model.spec.uri}")
    assert gives_weights(model)  # guaranteed by WEIGHTS
    return model


class LeftToRight:
    """What locators share that follow a prompt's tokens: frozen dataclasses with a `name`."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[Ability]]

    def check(self, model: Model | None, examples: Sequence[Example]) -> None:
        """Refuse a model that reads in both directions.

        Raises:
            BadModel: it does, or it gives no hidden states.
        """
        if model is not None:
            self.opened(model)

    def opened(self, model: Model) -> OpenModel:
        """The model as one whose hidden states can be read from left to right.

        Raises:
            BadModel: as for `check`.
        """
        return require_left_to_right(require_hidden(model, self.needs), self.name)


def batches(probes: Sequence[Example], size: int = BATCH) -> Iterator[Sequence[Example]]:
    """The probes in batches of similar length, to limit padding.

    A prompt and a prompt that begins with it are in different batches: in one batch they share a row, and
    what is changed or differentiated where the shorter one predicts its term would also reach the longer one.

    Raises:
        BadData: there are no probes.
    """
    if not probes:
        raise BadData("There are no prompts to locate with.", mend="Use a benchmark with a train part.")
    from evenhand.scoring.subjects import nesting  # here, so that locators are listed without torch

    depth = nesting([probe.context for probe in probes])
    for level in range(max(depth.values()) + 1):
        alike = [probe for probe in ordered(probes) if depth[probe.context] == level]
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


def ordered(probes: Sequence[Example]) -> list[Example]:
    """The probes from the shortest to the longest: the order in which every locator reads them."""
    return sorted(probes, key=lambda p: (len(p.context), p.id))


@dataclass(frozen=True)
class ProbedBatch:
    """A batch of probes, and the n `places` where its pass predicts terms: rows [n] and positions [n].

    A place that several probes share is repeated. `read` are the places of all tokens that an encoder reads
    for the probes, None where there is none.
    """

    probes: Sequence[Example]
    places: Places
    read: Places | None = None

    def at(self, model: OpenModel, site: str) -> Places:
        """The places where a block matters to the terms.

        The decoder reads every token of its encoder, so all of them count there; elsewhere only where a term
        is predicted.
        """
        if self.read is None or not model.layout.encodes(site):
            return self.places
        return self.read


@dataclass(frozen=True)
class Contributions:
    """What each block adds to the residual stream where terms are predicted, see `ProbedBatch.at`.

    Attributes:
        batches: the probes, batch by batch; running a batch again gives the same layout.
        probabilities: of the groups, [N, k], in the order of the batches.
        mean: for each block, its mean contribution over all positions, [width].
    """

    batches: tuple[ProbedBatch, ...]
    probabilities: Tensor
    mean: dict[str, Tensor]


def contributions(model: OpenModel, probes: Sequence[Example]) -> Contributions:
    """Run all probes once; for each block, average its contribution over the places that predict terms."""
    import torch

    from evenhand.hooks import observe
    from evenhand.scoring.forward import evaluating
    from evenhand.scoring.terms import outcomes

    blocks = model.layout.blocks()
    sums, counts = dict.fromkeys(blocks, torch.zeros(())), dict.fromkeys(blocks, 0)
    found: list[ProbedBatch] = []
    values: list[Tensor] = []
    with (
        torch.no_grad(),
        evaluating(model.module),
        observe(model, blocks) as seen,
        task("running the prompts", len(probes), unit="prompt") as advance,
    ):
        for batch in batches(probes):
            answer = outcomes(model, batch)
            assert answer.places is not None  # a single pass has a single layout
            probed = ProbedBatch(batch, answer.places, answer.read)
            found.append(probed)
            values.append(answer.log_p.exp())  # [probes of the batch, k]
            for site, (given, output) in seen.items():  # [batch, length, width]; at the n places [n, width]
                places = probed.at(model, site)
                sums[site] = sums[site] + (output - given)[places].double().sum(0)
                counts[site] += len(places[0])
            advance(len(batch))
    means = {site: sums[site] / counts[site] for site in blocks}
    return Contributions(tuple(found), torch.cat(values), means)


def normalised_gap(probabilities: Tensor) -> Tensor:
    """Mean over prompts of the largest minus the smallest group share; `ablation` and `gradient` explain it.

    `probabilities` [N, k]; the shares are the groups' probabilities divided by their sum, so that a model
    that only uses the words less often does not look unbiased.
    """
    shares = probabilities / probabilities.sum(dim=1, keepdim=True)  # [N, k]
    return (shares.amax(dim=1) - shares.amin(dim=1)).mean()


def site_scores(sites: Sequence[str], values: Sequence[float]) -> tuple[SiteScore, ...]:
    """Scores in the order of depth."""
    return tuple(SiteScore(site, float(value)) for site, value in zip(sites, values, strict=True))
