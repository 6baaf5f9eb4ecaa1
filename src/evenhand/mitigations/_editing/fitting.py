"""The fit that ROME, R-ROME and MEMIT share: requests, keys' moments, values, edits, and the proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from evenhand.mitigations._editing.aims import Aim, Target
from evenhand.mitigations._editing.moments import second_moment
from evenhand.mitigations._editing.solving import Moment
from evenhand.mitigations._editing.stacks import Work
from evenhand.mitigations._editing.subjects import drawn, neutral_texts, prefixes, requests
from evenhand.mitigations._editing.values import Search, Values
from evenhand.models import OpenModel
from evenhand.models.projections import Projection, output_projection
from evenhand.records import Example
from evenhand.scoring.terms import Prompts
from evenhand.training.parameters import only_these_train
from evenhand.training.sham_losses import signs
from evenhand.treatments import About, proven
from evenhand.treatments.weights import WeightTreatment

_ROWS = 64
Stack = Callable[[Work], list[Values]]


@dataclass(frozen=True)
class Moments:
    """How second moments are estimated: drawn towards the identity by `shrink` (None: where that is due)."""

    shrink: float | None


@dataclass(frozen=True)
class Editing:
    """How a model is edited; the fields are the options of `evenhand.mitigations._editing.options`."""

    spec: str
    blocks: tuple[int, ...]
    located_by: str | None
    target: Target
    edits: int | None
    together: int | None
    contexts: int
    text: str
    moments: Moments | None
    search: Search


def edited(
    model: OpenModel, examples: Sequence[Example], how: Editing, stack: Stack, *, seed: int, sham: int | None
) -> WeightTreatment:
    """The edited weights as a proven treatment; on return the model holds its old bits.

    Raises:
        BadData: no prompt, or one without a subject.
        BadModel: the model's MLP cannot be edited, or a number is not finite.
        NoEffect: no answer changed.
    """
    chosen = drawn(examples, how.edits, seed)
    maps = tuple(output_projection(model, f"block.{block}", "mlp") for block in how.blocks)
    texts = neutral_texts(model, how.text, chosen)
    asked = tuple(requests(chosen, prefixes(texts, how.contexts, seed)))
    with only_these_train(model.module, [of.parameter for of in maps]), torch.no_grad():
        model.module.requires_grad_(False)  # a value is sought, and no weight
        moments, said = _moments(model, maps, texts, how.moments)
        drawn_signs = None if sham is None else torch.tensor(signs(chosen, sham), dtype=torch.float64)
        aim = Aim.of(how.target, group_log_p(model, chosen))
        work = Work(model, maps, moments, asked, aim, how.search, how.together or len(asked), drawn_signs)
        made = stack(work)
        weights = {of.weight: of.parameter.detach().float().clone() for of in maps}
    details = {
        "blocks": [f"block.{block}" for block in how.blocks],
        "located_by": how.located_by,
        "edits": len(asked),
        "contexts": len(asked[0].contexts),
        "second_moments": said,
        **_course(made),
    }
    about = About(how.spec, model.spec.digest, seed, details)
    treatment: WeightTreatment = proven(model, WeightTreatment(about, weights), chosen)
    return treatment


@torch.no_grad()
def group_log_p(model: OpenModel, examples: Sequence[Example]) -> torch.Tensor:
    """The log-probabilities of the groups after each prompt, [n, k], on the CPU."""
    prompts = Prompts(model, examples)
    parts = [range(i, min(len(examples), i + _ROWS)) for i in range(0, len(examples), _ROWS)]
    return torch.cat([prompts.outcomes(part).log_p.cpu() for part in parts])


def _moments(
    model: OpenModel, maps: Sequence[Projection], texts: Sequence[str], how: Moments | None
) -> tuple[tuple[Moment, ...], list[dict[str, Any]]]:
    """The moments of the maps, and what is said of them; identities without `how`."""
    if how is None:
        return tuple(Moment(None) for _ in maps), []
    found = [second_moment(model, of, texts, how.shrink) for of in maps]
    said = [
        {"block": of.block, "tokens": e.tokens, "shrunk": e.shrunk} for of, e in zip(maps, found, strict=True)
    ]
    return tuple(Moment(e.matrix) for e in found), said


def _course(made: Sequence[Values]) -> dict[str, float]:
    """The mean loss of the requests at their first and their last step, and the mean length of a value."""
    first, last = ([x for part in made for x in getattr(part, name)] for name in ("first", "last"))
    lengths = torch.cat([part.added.norm(dim=1) for part in made])
    return {
        "first_loss": sum(first) / len(first),
        "last_loss": sum(last) / len(last),
        "length": float(lengths.mean()),
    }
