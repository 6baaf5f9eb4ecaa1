"""Measuring: families and capabilities are checked, requests of all kinds are asked at once, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from evenhand.benchmarks import Benchmark
from evenhand.benchmarks.genbiaseval import GenBiasEval
from evenhand.benchmarks.perplexity import Perplexity
from evenhand.errors import BadModel
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.records import (
    Ability,
    Card,
    Cloze,
    Completion,
    Continuation,
    Contrast,
    Embedding,
    Generation,
    LogProb,
    ModelSpec,
    Request,
    Sample,
    Sampling,
    Score,
    Vector,
)
from evenhand.studies.measure import protocol, take
from evenhand.testing import tiny
from evenhand.testing.scripted import ScriptedModel
from tests.support import families

KINDS: tuple[Request, ...] = (
    Generation("write", Sampling(max_tokens=3)),
    Embedding("one"),
    Continuation("a", " b"),
    Cloze("it is", 0, 2),
    Embedding("two words"),
    Contrast("a b", "a c"),
    Generation("more", Sampling(max_tokens=5)),
    Continuation("a", " c"),
)


class Everything(ScriptedModel):
    """Answers each kind of request with something that tells which one it was; counts the calls."""

    def __init__(self, family: str = "causal") -> None:
        super().__init__(lambda item: 0.5)
        self.can = frozenset(Ability)
        self.spec = ModelSpec("scripted:all", "0", family=family)
        self.calls: list[str] = []

    def answer(self, requests: Sequence[Any]) -> list[Any]:
        self.calls.append(f"answer {len(requests)}")
        return [self.say(request) for request in requests]

    def say(self, request: Any) -> Any:
        if isinstance(request, Continuation):
            return LogProb(-float(ord(request.text[-1])), 1)
        if isinstance(request, Generation):
            return Completion(request.prompt.upper(), request.sampling.max_tokens)
        if isinstance(request, Embedding):
            return Vector((float(len(request.text)), 1.0))
        return LogProb(-float(len(request.text)), 1, "pseudo")


@dataclass(frozen=True)
class Asking(Benchmark):
    """A benchmark of two samples that ask `requests`, and keeps the answers in `seen`."""

    requests: tuple[Request, ...] = field(default=(), repr=False)
    seen: list[Any] = field(default_factory=list, repr=False)
    families: tuple[str, ...] = field(default=("causal",), repr=False)

    metrics = (accuracy,)
    unfit = "It reads from left to right."

    @property
    def card(self) -> Card:
        return Card("own", "1", "Own", "here", "none", families=self.families)

    def read(self) -> list[Sample]:
        return [Sample(str(i), str(i), {}) for i in range(2)]

    def ask(self, sample: Sample) -> Sequence[Request]:
        return self.requests

    def score(self, sample: Sample, answers: Sequence[Any]) -> Score:
        self.seen.append(list(answers))
        return Score(sample.id, sample.cluster, {"correct": 1.0})


class Remarking(Asking):
    """It counts the scores."""

    def remarks(self, scores: Sequence[Score]) -> list[str]:
        return [f"{len(scores)} scores."]


def test_requests_of_all_kinds_are_asked_at_once_and_answers_come_in_order() -> None:
    seen: list[Any] = []
    model = Everything()
    take(model, Asking(KINDS, seen))
    assert (
        seen[0]
        == seen[1]
        == [
            Completion("WRITE", 3),
            Vector((3.0, 1.0)),
            LogProb(-98.0, 1),
            LogProb(-5.0, 1, "pseudo"),
            Vector((9.0, 1.0)),
            LogProb(-3.0, 1, "pseudo"),
            Completion("MORE", 5),
            LogProb(-99.0, 1),
        ]
    )
    # One call for all requests of all samples.
    assert model.calls == ["answer 16"]


@pytest.mark.parametrize(
    ("request_", "missing", "said"),
    [
        (KINDS[0], "generate", "generated text"),
        (KINDS[1], "hidden", "hidden states"),
        (KINDS[3], "cloze", "probabilities of masked words"),
        (KINDS[5], "cloze", "probabilities of masked words"),
        (KINDS[2], "logprobs", "log-probabilities"),
    ],
)
def test_what_a_model_cannot_answer_is_refused(request_, missing, said) -> None:
    model = Everything()
    model.can = frozenset(Ability) - {Ability(missing)}
    with pytest.raises(BadModel, match=f"does not give {said}, which own needs"):
        take(model, Asking((request_,)))
    assert model.calls == []


def test_a_family_that_does_not_fit_is_refused_with_the_reason() -> None:
    benchmark = Asking((KINDS[2],), families=("causal", "seq2seq"))
    with pytest.raises(BadModel) as caught:
        take(Everything("masked"), benchmark)
    assert str(caught.value).startswith(
        "own fits causal and seq2seq models, and scripted:all is a masked model. It reads from left to right."
    )
    assert take(Everything("seq2seq"), benchmark).n == 2


def test_perplexity_refuses_masked_models_in_words() -> None:
    with pytest.raises(BadModel, match="Perplexity is made of the probabilities of whole texts"):
        take(families.masked(), Perplexity())


def test_figures_of_unlike_families_never_compare() -> None:
    benchmark = GenBiasEval()
    scorers = {
        model.spec.family: protocol(model, benchmark, seed=0, limit=None).scorer
        for model in (tiny.model(), families.masked(), families.seq2seq())
    }
    assert scorers == {
        "causal": "chain-rule/1",
        "masked": "pseudo-likelihood/1",
        "seq2seq": "conditional/1",
    }


def test_remarks_come_first_among_the_notes() -> None:
    assert take(Everything(), Remarking((KINDS[2],))).notes == ("2 scores.",)
    assert take(Everything(), Asking((KINDS[2],))).notes == ()


@pytest.mark.parametrize(
    "model", [families.masked("bert"), families.masked("roberta"), families.seq2seq("t5")]
)
def test_genbiaseval_is_taken_on_every_family(model) -> None:
    taken = take(model, GenBiasEval(), limit=12)
    assert taken.n == 12
    assert taken.metrics["afgb"].value is not None
    assert taken.metrics["afgb"].value > 0
    assert taken.model.family == model.spec.family


def test_split_terms_are_explained_for_what_they_are() -> None:
    masked = take(families.masked("albert"), GenBiasEval(attribute="race"), limit=3)
    assert any("number of masks shows a masked model" in note for note in masked.notes)
    causal = take(tiny.model(), GenBiasEval(attribute="race"), limit=3)
    assert any("upper bound" in note for note in causal.notes)


def test_the_benchmarks_own_groups_decide_about_that_note() -> None:
    class Ungrouped(GenBiasEval):
        groups = ()

    plain = Ungrouped(attribute="race")
    assert not any("splits" in note for note in take(tiny.model(), plain, limit=3).notes)
