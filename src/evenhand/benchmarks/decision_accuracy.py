"""The accuracy of a model's decisions: the capability to report with the bias of its decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from evenhand.benchmarks._people import PeopleBenchmark, sample
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.metrics.decisions import BALANCED_ACCURACY as balanced_accuracy
from evenhand.metrics.decisions import CHANCE as chance
from evenhand.metrics.decisions import DECISION_ACCURACY as decision_accuracy
from evenhand.metrics.decisions import LABEL_MASS as label_mass
from evenhand.metrics.decisions import MAJORITY_RATE as majority_rate
from evenhand.people.asking import read
from evenhand.people.population import Person
from evenhand.records import Card, GuardName, LogProb, Sample, Score


@dataclass(frozen=True)
class DecisionAccuracy(PeopleBenchmark):
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

    n: int = 400

    metrics = (accuracy, decision_accuracy, balanced_accuracy, majority_rate, chance, label_mass)
    guards: ClassVar[Mapping[GuardName, str]] = {GuardName.BALANCED: "balanced_accuracy"}
    role = "capability"

    @cached_property
    def _people(self) -> tuple[Person, ...]:
        return self.place.people("capability", self.n)

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


component = DecisionAccuracy
