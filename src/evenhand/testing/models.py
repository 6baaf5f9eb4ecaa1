"""Contracts of models, for the schemes that plug-ins add: order, batches and what is undefined.

They ask what every model answers that can do it at all: log-probabilities of texts and generated text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from evenhand.errors import EvenhandError
from evenhand.models import Model
from evenhand.opening import open_model
from evenhand.records import (
    Ability,
    Completion,
    ContextPair,
    Continuation,
    Embedding,
    Generation,
    LogProb,
    Request,
    Response,
    Sampling,
    Undefined,
)
from evenhand.testing.contracts import Contract, NotTried, Subject, expect, raised

TOLERANCE = 1e-4  # nats, in float32
TEXTS: tuple[Continuation, ...] = (
    Continuation("The nurse smiled because", " she"),
    Continuation("The nurse smiled because", " he was late"),
    Continuation("The carpenter sat down slowly because", " he"),
    Continuation("The doctor opened the door and", " walked into the empty hall"),
    Continuation("The teacher", " left"),
)
PROMPTS = ("The nurse", "The carpenter sat down slowly because", "The doctor opened")
_OTHERS: tuple[Request, ...] = (Embedding("The nurse smiled."), ContextPair("The nurse", "The doctor"))


@lru_cache(maxsize=2)
def opened(subject: Subject, **options: Any) -> Model:
    """The model, opened by its case or by its name, once for all contracts."""
    opener = subject.case.open if subject.case is not None else None
    found: Model = (opener or open_model)(subject.spec, **options)
    return found


def _requests(model: Model) -> list[Request]:
    """What the model can be asked of the texts and prompts above."""
    found: list[Request] = [*TEXTS] if Ability.LOGPROBS in model.can else []
    if Ability.GENERATE in model.can:
        found += [Generation(prompt, Sampling(max_tokens=6)) for prompt in PROMPTS]
    if not found:
        raise NotTried("it gives neither log-probabilities nor text")
    return found


def _same(one: Response, other: Response) -> bool:
    if isinstance(one, LogProb) and isinstance(other, LogProb):
        close = math.isclose(one.value, other.value, rel_tol=0, abs_tol=TOLERANCE)
        return close and (one.n_tokens, one.kind) == (other.n_tokens, other.kind)
    return one == other


def _compare(requests: Sequence[Request], found: Sequence[Any], wanted: Sequence[Any], how: str) -> None:
    expect(len(found) == len(wanted), f"{how} it gave {len(found)} answers to {len(requests)} requests")
    for request, one, other in zip(requests, found, wanted, strict=True):
        expect(_same(one, other), f"{how} the answer to {request} is {one}, not {other}")


def it_is_a_model_and_says_what_it_can(subject: Subject) -> None:
    """It has `spec`, `can`, `answer` and `notes`; its digest is not empty, its abilities exist."""
    model = opened(subject)
    expect(isinstance(model, Model), "it lacks one of spec, can, answer, notes")
    expect(model.spec.uri and model.spec.digest, "its spec has no uri or no digest of what answers")
    expect(model.can and model.can <= frozenset(Ability), f"it can {sorted(model.can)}")
    expect(all(isinstance(note, str) for note in model.notes()), "a note is no text")


def nothing_asked_is_nothing_answered(subject: Subject) -> None:
    """An empty list of requests gets an empty list of answers."""
    found = list(opened(subject).answer([]))
    expect(found == [], f"asked nothing it answered {found}")


def answers_stand_in_the_order_of_the_requests(subject: Subject) -> None:
    """Requests of unlike kinds and lengths, turned around, get the same answers turned around."""
    model = opened(subject)
    requests = _requests(model)
    turned = list(model.answer(requests[::-1]))[::-1]
    _compare(requests, turned, model.answer(requests), "asked in the opposite order")


def one_at_a_time_is_the_same_as_all_at_once(subject: Subject) -> None:
    """How requests are batched and padded moves no log-probability by 1e-4 nats, and no greedy text."""
    model = opened(subject)
    requests = _requests(model)
    alone = [answer for request in requests for answer in model.answer([request])]
    _compare(requests, model.answer(requests), alone, "asked all at once")


def the_size_of_a_batch_changes_nothing(subject: Subject) -> None:
    """Opened with room for one token a batch (`batch_tokens`) it gives the same answers."""
    model, narrow = opened(subject), opened(subject, batch_tokens=1)
    requests = _requests(model)
    _compare(requests, narrow.answer(requests), model.answer(requests), "with batch_tokens=1")


def asked_again_it_answers_the_same(subject: Subject) -> None:
    """The same request has the same answer, text drawn under one seed included."""
    model = opened(subject)
    requests = _requests(model)
    if Ability.GENERATE in model.can:
        drawn = Sampling(max_tokens=6, temperature=1.0, seed=3)
        requests += [Generation(prompt, drawn) for prompt in PROMPTS]
    _compare(requests, model.answer(requests), model.answer(requests), "asked again")


def an_answer_is_a_number_a_text_or_says_why_not(subject: Subject) -> None:
    """A log-probability is at most 0 and never NaN, with a token count; what has none is `Undefined`."""
    model = opened(subject)
    for request, answer in zip(_requests(model), model.answer(_requests(model)), strict=True):
        if isinstance(answer, Undefined):
            said = answer.reason and not answer.reason.endswith(".")
            expect(said, f"the answer to {request} is undefined without a reason in a few words")
            continue
        shape = LogProb if isinstance(request, Continuation) else Completion
        if not isinstance(answer, shape):
            raise AssertionError(f"the answer to {request} is {answer}, no {shape.__name__}")
        expect(answer.n_tokens >= 0, f"the answer to {request} counts {answer.n_tokens} tokens")
        if isinstance(answer, LogProb):
            fine = answer.value <= TOLERANCE or answer.kind == "mean"
            expect(fine, f"the answer to {request} is {answer.value}")  # NaN is not at most 0 either


def what_it_cannot_answer_it_refuses(subject: Subject) -> None:
    """A request that needs an ability that it lacks gets an error that says so, and no number."""
    model = opened(subject)
    lacking = [r for r in (*_OTHERS, TEXTS[0], Generation(PROMPTS[0])) if r.needs not in model.can]
    if not lacking:
        raise NotTried("it can answer everything")
    for request in lacking:
        raised(EvenhandError, lambda: model.answer([request]), f"{request}")  # noqa: B023


CONTRACTS: tuple[Contract, ...] = (
    it_is_a_model_and_says_what_it_can,
    nothing_asked_is_nothing_answered,
    answers_stand_in_the_order_of_the_requests,
    one_at_a_time_is_the_same_as_all_at_once,
    the_size_of_a_batch_changes_nothing,
    asked_again_it_answers_the_same,
    an_answer_is_a_number_a_text_or_says_why_not,
    what_it_cannot_answer_it_refuses,
)
