"""The check of an effect: a treated model whose answers equal the base's in every bit was not changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from evenhand.errors import Inconclusive, NoEffect
from evenhand.models import logprobs
from evenhand.provenance import made_by
from evenhand.records import Ability, Continuation, Embedding, TrainingExample, Undefined, Vector

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments._base import Treatment


def prove(
    model: Model, treatment: Treatment, examples: Sequence[TrainingExample], *, most: int = 32
) -> Mapping[str, Any]:
    """Evidence that the treated model differs from the base: how much its answers on some examples changed.

    Returns `max_logprob_change` (nats) and `prompts`, and what the treatment's kind adds (its `evidence`).
    For a model that gives texts as vectors only it is `max_vector_change`, of an entry of the texts' vectors.

    Raises:
        NoEffect: not one answer differs by a single bit.
        Inconclusive: the model has no answer to any of them.
    """
    items = [request for example in examples[:most] for request in example.requests()]
    if Ability.LOGPROBS not in model.can:
        largest, what = _of_vectors(model, treatment, [f"{i.context}{i.text}" for i in items]), "vector"
    else:
        largest, what = _of_answers(model, treatment, items), "logprob"
    if largest == 0.0:
        raise NoEffect(
            f"{treatment.about.method} left every answer exactly as it was.",
            mend="Raise its learning rate or its epochs, or check that the dtype can hold such small steps.",
        )
    answers = {f"max_{what}_change": largest, "prompts": min(most, len(examples))}
    return {**answers, **treatment.evidence(model)}


def _of_vectors(model: Model, treatment: Treatment, texts: Sequence[str]) -> float:
    """The largest change of an entry of the vector of one of `texts`."""
    asked = [Embedding(text) for text in texts]
    before = cast(list[Vector], model.answer(asked))
    with treatment.applied(model) as treated:
        after = cast(list[Vector], treated.answer(asked))
    return max(
        (
            abs(a - b)
            for one, other in zip(after, before, strict=True)
            for a, b in zip(one.values, other.values, strict=True)
        ),
        default=0.0,
    )


def _of_answers(model: Model, treatment: Treatment, items: Sequence[Continuation]) -> float:
    """The largest change of an answer to one of `items`, in nats.

    Raises:
        Inconclusive: the model has no answer to any of them.
    """
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
    return max(changes, default=0.0)


def proven(model: Model, treatment: Any, examples: Sequence[TrainingExample]) -> Any:
    """The treatment with its proof (see `prove`) and what made it filled in."""
    about = dataclasses.replace(
        treatment.about, proof=prove(model, treatment, examples), made_by=made_by(model.spec)
    )
    return dataclasses.replace(treatment, about=about)
