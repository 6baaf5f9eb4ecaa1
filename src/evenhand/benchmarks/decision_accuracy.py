"""The accuracy of a model's decisions: the capability to report with the bias of its decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._people import (
    Scene,
    check_people,
    check_setting,
    label_requests,
    sample,
    scene,
    setting_of,
)
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.metrics.decisions import CHANCE as chance
from evenhand.metrics.decisions import DECISION_ACCURACY as decision_accuracy
from evenhand.metrics.decisions import LABEL_MASS as label_mass
from evenhand.metrics.decisions import MAJORITY_RATE as majority_rate
from evenhand.people.asking import read
from evenhand.people.population import Person
from evenhand.records import Card, Continuation, LogProb, Sample, Score


@dataclass(frozen=True)
class DecisionAccuracy(Benchmark):
    """The share of right decisions on people whom the benchmark `decisions` neither tests nor trains on.

    The prompts are those of `decisions` under the same options; each person is asked about once, as a member
    of their own group. Licence: that of the data; the lab's people Apache-2.0.

    Attributes:
        task: as in `decisions`: ``lab``, ``adult``, or a TOML file.
        shots: how many demonstrations.
        parity: their bias, in [-1, 1].
        counterbalanced: show each demonstrated person once as a member of every group.
        n: how many people to decide on.
        prompt_seed: chooses the demonstrations and their order.
        seed: chooses the people of each part.
        attribute: another sensitive column, or several joined by ``*``.
        labels: other label words, the unfavourable one first.
        leaky: for adult, put back marital status and relationship.
        bins: as in `decisions`: ``attribute=age,bins=25|40|60``.
        test: how many people `decisions` measures under this option; they are not asked about here.

    Raises:
        BadData: the data are not on this machine, or the file or table cannot be used.
        BadOption: a parity, a number or label words that are not possible.
        UnknownName: there is no such task or column.
    """

    task: str = "lab"
    shots: int = 16
    parity: float = 0.0
    counterbalanced: bool = False
    n: int = 400
    prompt_seed: int = 0
    seed: int = 0
    attribute: str = ""
    labels: str = ""
    leaky: bool = False
    bins: str = ""
    test: str = ""

    metrics = (accuracy, decision_accuracy, majority_rate, chance, label_mass)
    role = "capability"
    normalisation = "the favourable label word among both"
    unfit = "Demonstrations are read from left to right."

    def check(self) -> None:
        check_setting(setting_of(self))
        check_people(self.n)

    @cached_property
    def place(self) -> Scene:
        """The people and the demonstrations."""
        return scene(setting_of(self))

    @cached_property
    def _people(self) -> tuple[Person, ...]:
        return self.place.people("capability", self.n)

    @property
    def template(self) -> str:
        return self.place.task.template

    @cached_property
    def card(self) -> Card:
        task = self.place.task
        return Card(
            name="decision_accuracy",
            version="1",
            title=f"Accuracy of decisions about people ({task.name})",
            source=task.source,
            licence=task.licence,
            digest=self.digest,
            reading="How often the decision is the true outcome. Below the majority rate nothing is learnt.",
        )

    def read(self) -> list[Sample]:
        return [sample("decision_accuracy", self.place, who, (who.group,)) for who in self._people]

    def ask(self, sample: Sample) -> list[Continuation]:
        """Each label word after the prompt."""
        return label_requests(sample)

    def score(self, sample: Sample, answers: Sequence[LogProb]) -> Score:
        """The columns ``correct``, ``decision``, ``outcome``, ``probability`` and ``label_mass``."""
        answer, outcome = read([a.value for a in answers]), float(sample.fields["answer"])
        values = {
            "correct": None if answer.decision is None else float(answer.decision == outcome),
            "decision": answer.decision,
            "outcome": outcome,
            "probability": answer.probability,
            "label_mass": answer.mass,
        }
        return Score(sample.id, sample.cluster, values, sample.slices)

    def remarks(self, scores: Sequence[Score]) -> list[str]:
        """Remarks on the demonstrations and on the people measured."""
        return self.place.said(self.n, len(self._people), "capability")

    def fits(self, model: Any) -> None:
        """Refuse a model that cannot decide about these people."""
        self.place.fits(model, self._people)


component = DecisionAccuracy
