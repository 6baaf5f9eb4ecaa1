"""The check of an effect: a treated model whose answers equal the base's in every bit was not changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evenhand.errors import Inconclusive, NoEffect
from evenhand.models import logprobs
from evenhand.provenance import made_by
from evenhand.records import TrainingExample, Undefined

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments._base import Treatment


def prove(
    model: Model, treatment: Treatment, examples: Sequence[TrainingExample], *, most: int = 32
) -> Mapping[str, Any]:
    """Evidence that the treated model differs from the base: how much its answers on some examples changed.

    Returns `max_logprob_change` (nats) and `prompts`, and what the treatment's kind adds (its `evidence`).

    Raises:
        NoEffect: not one answer differs by a single bit.
        Inconclusive: the model has no answer to any of them.
    """
    items = [request for example in examples[:most] for request in example.requests()]
    before = logprobs(model, items)
    with treatment.applied(model) as treated:
        after = logprobs(treated, items)
    changes = [
        abs(a.value - b.value)
        for a, b in zip(after, before, strict=True)
        if not isinstance(a, Undefined) and not isinstance(b, Undefined)
    ]
    if items and not changes:
        raise Inconclusive(
            f"{model.spec.uri} has no answer to any of the {len(items)} requests that would show what "
            f"{treatment.about.method} did.",
            mend="Use a model that answers the prompts that it is treated with.",
        )
    largest = max(changes, default=0.0)
    if largest == 0.0:
        raise NoEffect(
            f"{treatment.about.method} left every answer exactly as it was.",
            mend="Raise its learning rate or its epochs, or check that the dtype can hold such small steps.",
        )
    answers = {"max_logprob_change": largest, "prompts": min(most, len(examples))}
    return {**answers, **treatment.evidence(model)}


def proven(model: Model, treatment: Any, examples: Sequence[TrainingExample]) -> Any:
    """The treatment with its proof (see `prove`) and what made it filled in."""
    about = dataclasses.replace(
        treatment.about, proof=prove(model, treatment, examples), made_by=made_by(model.spec)
    )
    return dataclasses.replace(treatment, about=about)
