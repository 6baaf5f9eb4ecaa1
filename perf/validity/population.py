"""Which models are judged: a base of the lab, and a change of it whose kind and dose are known.

Damage has no signal about the attribute: whatever it does to a bias is not a mitigation. Half of its kinds
are also families of control models; the others are not, and a third is held out until the rule is frozen.
Treatments are exact: the planted table is taken back, whole or in part. With a word killed beside it
(`without_they`) such a treatment is a mitigation that may not be called free of cost. Nothing was done
where the weights are the same, rounded at unchanged perplexity, or of another training of the same recipe.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from evenhand.models import OpenModel

Change = Callable[["OpenModel", float, int], Mapping[str, Tensor]]  # base, dose and seed to new weights

SEEDS = range(1, 13)  # of the labs: 60 of them
BASES = tuple(
    f"lab:causal?{plant}&seed={seed}"
    for seed in SEEDS
    for plant in ("block=1", "block=2", "block=3", "bias=spread", "bias=fragile")
)

HARD = tuple(f"lab:causal?world=hard&seed={seed}" for seed in range(1, 13))


@dataclass(frozen=True)
class Kind:
    """One kind of damage: `change` at doses between `low` and `high`, drawn evenly in their logarithm.

    `family` is the family of control models that does the same, empty for none; `held_out` kinds are looked
    at once the rule is frozen. `bases` are those in which there is something to damage.
    """

    name: str
    low: float
    high: float
    change: Change | None = None
    family: str = ""
    held_out: bool = False
    bases: tuple[str, ...] = BASES


def _width(model: OpenModel) -> int:
    config: Any = model.module.config
    return int(config.hidden_size)


def _words(model: OpenModel) -> Tensor:
    """The table of word vectors, a parameter."""
    module: Any = model.module
    found: Tensor = module.get_input_embeddings().weight
    return found


def _copy(model: OpenModel, parameter: Tensor) -> tuple[str, Tensor]:
    """The name of a parameter of the model, and its values in float32, free to be changed."""
    name = next(n for n, p in model.module.named_parameters() if p is parameter)
    return name, parameter.detach().float().clone()


def site_of(model: OpenModel, seed: int) -> str:
    """One block, chosen by the seed."""
    blocks = model.layout.blocks()
    return blocks[seed % len(blocks)]


def block_of(model: OpenModel, seed: int) -> tuple[str, ...]:
    """The parameters of one block, chosen by the seed."""
    return tuple(model.layout.parameters(site_of(model, seed)))


def matrices(model: OpenModel, names: tuple[str, ...]) -> dict[str, Tensor]:
    """The matrices among the named parameters, float32 copies."""
    parameters = dict(model.module.named_parameters())
    return {n: parameters[n].detach().float().clone() for n in names if parameters[n].ndim == 2}


def written(model: OpenModel, seed: int) -> dict[str, Tensor]:
    """The matrices of a block, chosen by the seed, whose output has the model's width: [width, inputs]."""
    width = _width(model)
    return {n: v for n, v in matrices(model, block_of(model, seed)).items() if v.shape[0] == width}


def subjects(model: OpenModel) -> list[int]:
    """The last tokens of the professions in a sentence."""
    from evenhand.lexicons import professions

    tokenizer = model.tokenizer
    return sorted(
        {tokenizer(f"The {one.name}", add_special_tokens=False)["input_ids"][-1] for one in professions()}
    )


def blurred(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """Every profession's last word vector moved by the share `dose` towards their mean."""
    name, weights = _copy(model, _words(model))
    rows = subjects(model)
    weights[rows] += min(dose, 1.0) * (weights[rows].mean(0, keepdim=True) - weights[rows])
    return {name: weights}


def exchanged(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """Every profession's last word vector moved by the share `dose` towards that of another, drawn."""
    name, weights = _copy(model, _words(model))
    rows = torch.tensor(subjects(model))
    others = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
    weights[rows] += min(dose, 1.0) * (weights[others] - weights[rows])
    return {name: weights}


def narrow_head(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The matrix that gives the next word without the share `dose` of its smallest singular values."""
    module: Any = model.module
    name, weights = _copy(model, module.get_output_embeddings().weight)
    u, s, v = torch.linalg.svd(weights, full_matrices=False)
    keep = max(1, round((1 - min(dose, 0.99)) * len(s)))
    return {name: (u[:, :keep] * s[:keep]) @ v[:keep]}


def words(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """Noise on the word vectors alone, in units of their root mean square."""
    name, weights = _copy(model, _words(model))
    noise = torch.randn(weights.shape, generator=torch.Generator().manual_seed(seed))
    return {name: weights + dose * weights.square().mean().sqrt() * noise}


def projected(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """A share `dose` of random directions of the width removed from what a block writes."""
    width = _width(model)
    k = max(1, min(width - 1, round(dose * width)))
    basis = torch.linalg.qr(torch.randn(width, k, generator=torch.Generator().manual_seed(seed))).Q
    return {name: value - basis @ (basis.T @ value) for name, value in written(model, seed).items()}


def low_rank(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The matrices of a block with the share `dose` of their smallest singular values set to 0."""
    found = {}
    for name, value in matrices(model, block_of(model, seed)).items():
        u, s, v = torch.linalg.svd(value, full_matrices=False)
        keep = max(1, round((1 - min(dose, 0.99)) * len(s)))
        found[name] = (u[:, :keep] * s[:keep]) @ v[:keep]
    return found


def redrawn(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """A block moved by the share `dose` towards freshly drawn weights of the same size."""
    generator = torch.Generator().manual_seed(seed)
    share = min(dose, 1.0)
    return {
        name: (1 - share) * value + share * value.std() * torch.randn(value.shape, generator=generator)
        for name, value in matrices(model, block_of(model, seed)).items()
    }


def shrunk(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """Everything that a block writes made smaller by the share `dose`."""
    return {name: (1 - min(dose, 1.0)) * value for name, value in written(model, seed).items()}


def swapped(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The share `dose` of the rows of a block's matrices in another order."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, value in matrices(model, block_of(model, seed)).items():
        rows = torch.randperm(len(value), generator=generator)[: max(2, round(min(dose, 1.0) * len(value)))]
        changed = value.clone()
        changed[rows] = value[rows.roll(1)]
        found[name] = changed
    return found


def cut(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """What the attention of one block writes made smaller by the share `dose`; at 1 it writes nothing."""
    return _lowered(model, "attention", dose, seed)


def quiet(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """What the MLP of one block writes made smaller by the share `dose`; at 1 it writes nothing."""
    return _lowered(model, "mlp", dose, seed)


def _lowered(
    model: OpenModel, half: Literal["attention", "mlp"], dose: float, seed: int
) -> Mapping[str, Tensor]:
    from evenhand.models.projections import output_projection

    matrix = output_projection(model, site_of(model, seed), half)
    return {matrix.weight: (1 - min(dose, 1.0)) * matrix.parameter.detach().float()}


def clipped(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """Every matrix without what lies further from 0 than its deviation over `dose`."""
    every = matrices(model, tuple(n for n, _ in model.module.named_parameters()))
    return {name: value.clamp(-value.std() / dose, value.std() / dose) for name, value in every.items()}


def channels(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The share `dose` of the last norm's channels, drawn, set to 0."""
    (name,) = model.layout.parameters("norm")
    value = model.module.get_parameter(name).detach().float().clone()
    drawn = torch.randperm(len(value), generator=torch.Generator().manual_seed(seed))
    value[drawn[: round(min(dose, 1.0) * len(value))]] = 0
    return {name: value}


def steered(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """One random direction added to every word vector, `dose` times their root mean square long per width."""
    name, weights = _copy(model, _words(model))
    direction = torch.randn(weights.shape[1], generator=torch.Generator().manual_seed(seed))
    return {name: weights + dose * weights.square().mean().sqrt() * direction}


def sham(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """A sham of LFTF: its signal's direction drawn at random for each subject, `dose` times its step."""
    from evenhand import registry
    from evenhand.records import Attribution, SiteScore
    from evenhand.training.finetune import Recipe, learning_rate
    from evenhand.treatments.weights import WeightTreatment

    lr = dose * learning_rate(Recipe(), model)
    method: Any = registry.create("mitigation", f"lftf:loss=mass_preserving,lr={lr:.6g}")
    chosen = Attribution("drawn", False, (SiteScore(site_of(model, seed), 1.0),), "drawn at random")
    benchmark: Any = registry.create("benchmark", "genbiaseval:split=heldout")
    examples = [*benchmark.examples(), *benchmark.anchors()]
    found = method.sham(seed=20_000 + seed).fit(model, examples, sites=chosen, seed=seed)
    assert isinstance(found, WeightTreatment)
    return found.weights


def signs(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The share `dose` of the entries of a block's matrices, drawn, with the other sign."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.where(torch.rand(value.shape, generator=generator) < dose, -value, value)
        for name, value in matrices(model, block_of(model, seed)).items()
    }


def resampled(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The share `dose` of the entries of a block's matrices, drawn, each with another's value."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, value in matrices(model, block_of(model, seed)).items():
        other = value.flatten()[torch.randperm(value.numel(), generator=generator)].view_as(value)
        found[name] = torch.where(torch.rand(value.shape, generator=generator) < dose, other, value)
    return found


def averaged(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The rows of a block's matrices moved by the share `dose` towards their mean."""
    share = min(dose, 1.0)
    return {
        name: (1 - share) * value + share * value.mean(0, keepdim=True)
        for name, value in matrices(model, block_of(model, seed)).items()
    }


def gains(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The gains of all norms times drawn factors, whose logarithms have the deviation `dose`."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value.detach().float() * (dose * torch.randn(value.shape, generator=generator)).exp()
        for name, value in model.module.named_parameters()
        if value.ndim == 1
    }


def dimmed(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The share `dose` of the coordinates of all word vectors, drawn, set to 0."""
    name, weights = _copy(model, _words(model))
    width = weights.shape[1]
    drawn = torch.randperm(width, generator=torch.Generator().manual_seed(seed))
    weights[:, drawn[: max(1, round(min(dose, 1.0) * width))]] = 0
    return {name: weights}


def mislabelled(model: OpenModel, dose: float, seed: int) -> Mapping[str, Tensor]:
    """The rows of the head moved by the share `dose` towards those of other words, drawn."""
    module: Any = model.module
    name, weights = _copy(model, module.get_output_embeddings().weight)
    order = torch.randperm(len(weights), generator=torch.Generator().manual_seed(seed))
    return {name: (1 - min(dose, 1.0)) * weights + min(dose, 1.0) * weights[order]}


KINDS = (
    Kind("noise", 0.05, 1.0, family="noise"),
    Kind("noise_elsewhere", 0.05, 1.0, family="noise elsewhere"),
    Kind("plain_text", 0.5, 30.0, family="plain text"),
    Kind("prune", 0.1, 0.9, family="prune"),
    Kind("quantise", 0.05, 2.0, family="quantise"),
    Kind("temperature", 0.1, 1.5, family="temperature"),
    Kind("heads", 0.05, 0.6, family="heads"),
    # The plain lab knows nothing of a profession but its pronouns, so nothing else can be blurred there.
    Kind("blurred", 0.2, 0.8, blurred, bases=HARD),
    Kind("exchanged", 0.2, 0.8, exchanged),
    Kind("narrow_head", 0.2, 0.6, narrow_head),
    Kind("words", 0.05, 1.0, words),
    Kind("projected", 0.02, 0.6, projected),
    Kind("shrunk", 0.1, 0.9, shrunk),
    Kind("cut", 0.4, 1.0, cut),
    Kind("clipped", 0.5, 2.0, clipped),
    Kind("channels", 0.05, 0.6, channels),
    Kind("steered", 0.05, 2.0, steered),
    Kind("sham", 0.5, 30.0, sham),
    Kind("low_rank", 0.2, 0.95, low_rank, held_out=True),
    Kind("redrawn", 0.05, 0.8, redrawn, held_out=True),
    Kind("swapped", 0.02, 0.6, swapped, held_out=True),
    Kind("signs", 0.01, 0.3, signs, held_out=True),
    Kind("resampled", 0.02, 0.8, resampled, held_out=True),
    Kind("averaged", 0.1, 0.9, averaged, held_out=True),
    Kind("gains", 0.05, 1.0, gains, held_out=True),
    Kind("dimmed", 0.02, 0.6, dimmed, held_out=True),
    Kind("mislabelled", 0.05, 0.8, mislabelled, held_out=True),
    Kind("quiet", 0.2, 1.0, quiet, held_out=True),
)


def removed(base: OpenModel, other: OpenModel) -> dict[str, Tensor]:
    """The base with the parameters of its twin without the planted table, or with less of it: an exact
    treatment.
    """
    fewer = dict(other.module.named_parameters())
    pairs = ((n, p.detach().float(), fewer[n].detach().float()) for n, p in base.module.named_parameters())
    return {name: new.clone() for name, old, new in pairs if not torch.equal(old, new)}


def without_they(base: OpenModel, dose: float) -> Mapping[str, Tensor]:
    """The head's row of " they" moved so that its logit falls by about `dose` after such prompts."""
    from evenhand import registry
    from evenhand.hooks import observe

    module: Any = base.module
    name, weights = _copy(base, module.get_output_embeddings().weight)
    benchmark: Any = registry.create("benchmark", "genbiaseval:split=heldout")
    texts = [example.context for example in benchmark.examples()]
    states = []
    with torch.no_grad(), observe(base, ["norm"]) as seen:
        for text in texts:
            module(**base.tokenizer(text, return_tensors="pt"))
            states.append(seen["norm"][1][0, -1].float())
    mean = torch.stack(states).mean(0)  # [width]
    (word,) = base.tokenizer(" they", add_special_tokens=False)["input_ids"]
    weights[word] -= dose * mean / mean.dot(mean)
    return {name: weights}


def rounded(base: OpenModel, bits: int) -> Mapping[str, Tensor]:
    """Every matrix rounded to the nearest of the levels that `bits` give each of its rows."""
    found = {}
    for name, value in matrices(base, tuple(n for n, _ in base.module.named_parameters())).items():
        step = value.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / (2 ** (bits - 1) - 1)  # [rows, 1]
        found[name] = torch.round(value / step) * step
    return found


def draws(kind: Kind, runs: int, seed: int) -> Iterator[tuple[str, float, int]]:
    """Bases, doses and seeds for a kind: bases in turn, doses evenly over the range of its logarithm."""
    chance = torch.Generator().manual_seed(1000 * seed + sum(map(ord, kind.name)))
    order = torch.randperm(len(kind.bases), generator=chance).tolist()
    for run in range(runs):
        share = float(torch.rand(1, generator=chance))
        dose = math.exp(math.log(kind.low) + share * (math.log(kind.high) - math.log(kind.low)))
        yield kind.bases[order[run % len(kind.bases)]], float(f"{dose:.3g}"), seed + run
