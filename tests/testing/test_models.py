"""The contracts of models bite: a model with one fault fails the contract about that fault."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from evenhand.records import Completion, Continuation, Request
from evenhand.testing import ModelCase, judge
from evenhand.testing.scripted import ScriptedModel


class Faulty(ScriptedModel):
    """A scripted model whose answers `spoil` changes."""

    def __init__(self, spoil: Callable[[Sequence[Request], list[Any]], list[Any]], **options: int) -> None:
        super().__init__(lambda item: 0.25, writes=lambda prompt: " and so on")
        self.spoil = spoil

    def answer(self, requests: Sequence[Request]) -> list[Any]:
        return self.spoil(requests, super().answer(requests))


def failing(spoil: Callable[[Sequence[Request], list[Any]], list[Any]]) -> set[str]:
    case = ModelCase("guest:x", lambda uri, **options: Faulty(spoil, **options))
    return {outcome.contract for outcome in judge("guest:x", "model", case) if outcome.status == "failed"}


def test_a_right_model_only_lacks_a_refusal() -> None:
    # A scripted model answers what it cannot: it is made for benchmarks, not for users.
    assert failing(lambda requests, answers: answers) == {"what_it_cannot_answer_it_refuses"}


def in_batches(requests: Sequence[Request], answers: list[Any]) -> list[Any]:
    """Texts are less likely in company."""
    return [
        dataclasses.replace(a, value=a.value - 0.01 * len(answers)) if isinstance(r, Continuation) else a
        for r, a in zip(requests, answers, strict=True)
    ]


def first_alone(requests: Sequence[Request], answers: list[Any]) -> list[Any]:
    """The first request is answered with an empty text."""
    return [Completion("", 0), *answers[1:]] if answers else []


def nan(requests: Sequence[Request], answers: list[Any]) -> list[Any]:
    return [
        dataclasses.replace(a, value=math.nan) if isinstance(r, Continuation) else a
        for r, a in zip(requests, answers, strict=True)
    ]


@pytest.mark.parametrize(
    ("spoil", "contract"),
    [
        (in_batches, "one_at_a_time_is_the_same_as_all_at_once"),
        (first_alone, "answers_stand_in_the_order_of_the_requests"),
        (nan, "an_answer_is_a_number_a_text_or_says_why_not"),
        (lambda requests, answers: [*answers, Completion("", 0)], "nothing_asked_is_nothing_answered"),
    ],
)
def test_a_fault_is_found(spoil: Any, contract: str) -> None:
    assert contract in failing(spoil)
