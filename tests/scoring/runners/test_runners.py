"""Runners are found by walking their folder; requests of any kinds are answered in order, by kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from evenhand.errors import BadModel
from evenhand.records import (
    Ability,
    Cloze,
    ContextPair,
    Continuation,
    Embedding,
    Generation,
    GreedyMatch,
    Request,
    Sampling,
    Unanchored,
    Vector,
    answer_in_groups,
)
from evenhand.scoring import runners
from evenhand.testing import tiny
from tests.support import families

SHORT = Sampling(max_tokens=2)
MIXED: tuple[Request, ...] = (
    Generation("The nurse", SHORT),
    Continuation("The nurse smiled because", " she"),
    Embedding("The doctor"),
    ContextPair("The nurse", "The doctor"),
    GreedyMatch("The nurse", " left"),
    Continuation("The nurse smiled because", " he"),
    Unanchored("The nurse left"),
    Generation("The nurse", Sampling(max_tokens=3)),
    Embedding("The nurse"),
)


@pytest.fixture
def fresh() -> Iterator[None]:
    """The runners are looked for anew, before the test and after it."""
    runners._runners.cache_clear()
    yield
    runners._runners.cache_clear()


def test_every_kind_of_request_has_a_runner_and_says_what_it_needs() -> None:
    kinds = set(get_args(Request))
    assert set(runners._runners()) == kinds
    assert all(isinstance(kind.needs, Ability) for kind in kinds)


def numbers(answer: Any) -> Any:
    """What an answer holds, to compare within rounding."""
    return (
        answer.values if isinstance(answer, Vector) else getattr(answer, "value", getattr(answer, "bits", 0))
    )


def test_mixed_requests_are_answered_as_each_alone() -> None:
    model = tiny.model("llama")
    found = model.answer(MIXED)
    alone: list[Any] = [model.answer([request])[0] for request in MIXED]
    for request, one, two in zip(MIXED, found, alone, strict=True):
        assert type(one) is type(two) is type(request.blank)
        if isinstance(request, Generation):
            assert one == two
        else:
            assert numbers(one) == pytest.approx(numbers(two), abs=1e-5)
    assert model.answer([]) == []


def test_a_kind_is_asked_in_one_call() -> None:
    calls: list[tuple[type, int]] = []

    def run(kind: type, group: list[Request]) -> list[Any]:
        calls.append((kind, len(group)))
        return [request.blank for request in group]

    assert answer_in_groups(MIXED, type, run) == [request.blank for request in MIXED]
    assert calls == [
        (Generation, 2), (Continuation, 2), (Embedding, 2), (ContextPair, 1), (GreedyMatch, 1),
        (Unanchored, 1),
    ]  # fmt: skip


def test_what_a_family_cannot_answer_is_refused_before_anything_runs() -> None:
    for model, request, said in (
        (families.masked("bert"), Generation("The nurse"), "is a masked model: it writes no text"),
        (families.seq2seq("t5"), Cloze("it is", 0, 2), "it gives no probabilities of masked words"),
        (tiny.model("gpt2"), Cloze("it is", 0, 2), "is a causal model: it gives no probabilities of masked"),
        (families.masked("bert"), GreedyMatch("it", " is"), "it gives no whole distributions of the next"),
        (families.seq2seq("t5"), ContextPair("it", "they"), "it gives no whole distributions of the next"),
        (families.seq2seq("t5"), Unanchored("it"), "it gives no whole distributions of the next"),
    ):
        with pytest.raises(BadModel, match=said):
            model.answer([Continuation("It", " is"), request])


def test_a_new_kind_takes_its_record_and_a_file_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None
) -> None:
    (tmp_path / "length.py").write_text(
        "from dataclasses import dataclass\n"
        "from evenhand.records import Ability\n"
        "from evenhand.scoring.runners import Runner\n"
        "@dataclass(frozen=True)\n"
        "class Length:\n"
        "    needs = Ability.HIDDEN\n"
        "    text: str\n"
        "def run(model, items):\n"
        "    return [len(model.tokenizer(item.text)['input_ids']) for item in items]\n"
        "runner = Runner((Length,), run)\n"
    )
    monkeypatch.setattr(runners, "__path__", [*runners.__path__, str(tmp_path)])
    runners._runners()
    import evenhand.scoring.runners.length as made  # type: ignore[import-not-found]

    model = tiny.model("gpt2")
    assert model.answer([made.Length("The"), Embedding("it"), made.Length("The nurse")])[::2] == [1, 2]
