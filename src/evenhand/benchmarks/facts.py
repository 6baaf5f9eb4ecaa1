"""Facts: multiple-choice completions that distinguish a working model from a damaged one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from evenhand.benchmarks import Benchmark, _options
from evenhand.benchmarks._common import EVERY_FAMILY, Normalise
from evenhand.lexicons import world_facts
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.records import Card, Continuation, LogProb, Sample, Score

FactSet = Literal["lab", "world"]


@dataclass(frozen=True, slots=True)
class _About:
    title: str
    source: str
    reading: str


ABOUT = {
    "lab": _About(
        "Facts of the lab's invented world",
        "evenhand.lab.facts: generated facts that the lab's models are trained on",
        "The share of the lab's own facts that the model still knows. For lab models alone; any other model "
        "is at chance, 0.25.",
    ),
    "world": _About(
        "Plain facts of general knowledge",
        "the evenhand developers",
        "The share of plain facts that the model completes correctly; chance is 0.25. It tells a sound model "
        "from a damaged one and is too easy to rank good models.",
    ),
}


class Question(Protocol):
    """What a set of facts has to offer: one right option of several, each with its leading space."""

    @property
    def id(self) -> str:
        """Unique in its set."""
        ...

    @property
    def prompt(self) -> str:
        """The opening, without a trailing space."""
        ...

    @property
    def options(self) -> tuple[str, ...]:
        """Two or more continuations."""
        ...

    @property
    def answer(self) -> int:
        """The index of the right option."""
        ...

    @property
    def topic(self) -> str:
        """What the question is about."""
        ...


@dataclass(frozen=True)
class Facts(Benchmark):
    """Facts: capability as the share of four-option completions in which the right one is the most likely.

    The answer is read from log-probabilities, so nothing has to be parsed and the place of an option cannot
    matter. Licence: Apache-2.0.

    Attributes:
        set: ``lab`` asks the invented facts that the lab's models were trained on; ``world`` asks about 150
            plain facts of general knowledge.
        normalise: compare options by ``total`` log-probability, or by the mean per ``token``, which favours
            neither short nor long options but depends on the tokenizer.
    """

    set: FactSet = "lab"
    normalise: Normalise = "total"

    metrics = (accuracy,)
    role = "capability"

    @property
    def normalisation(self) -> str:
        return self.normalise

    @cached_property
    def card(self) -> Card:
        about = ABOUT[self.set]
        return Card(
            name="facts",
            version="1",
            title=about.title,
            source=about.source,
            licence="Apache-2.0",
            digest=self.digest,
            families=EVERY_FAMILY,
            reading=about.reading + " Ties are undefined and counted.",
        )

    def read(self) -> list[Sample]:
        return [_sample(self.set, question) for question in _questions(self.set)]

    def ask(self, sample: Sample) -> list[Continuation]:
        """One request per option, in order."""
        return [Continuation(sample.fields["prompt"], option) for option in sample.fields["options"]]

    def score(self, sample: Sample, answers: Sequence[LogProb]) -> Score:
        """The columns ``correct``, ``margin``, ``chance`` and the options' shares: see `_options.score`."""
        return _options.score(sample, answers, self.normalise)


def _questions(name: FactSet) -> Sequence[Question]:
    if name == "world":
        return world_facts()
    from evenhand.lab.facts import questions

    return questions()


def _sample(name: FactSet, question: Question) -> Sample:
    sample = f"facts/{name}/{question.id}"
    fields = {"prompt": question.prompt, "options": question.options, "answer": question.answer}
    return Sample(sample, sample, fields, {"topic": question.topic})


component = Facts
