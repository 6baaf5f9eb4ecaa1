"""A person's prompts: the demonstrations, then the person as a member of each group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evenhand.people.population import Person
from evenhand.people.task import DecisionTask
from evenhand.records import PersonExample, Value
from evenhand.ties import tied

MASS_DIGITS = 12  # below them a sum of probabilities is rounding, and no change to report


@dataclass(frozen=True)
class Asker:
    """A task with its demonstrations as text, with which all its prompts begin (computed only once)."""

    task: DecisionTask
    blocks: tuple[str, ...]

    def context(self, person: Person, group: int) -> str:
        """The prompt about `person` as a member of the group of that index, without a trailing space."""
        return self.task.prompt(self.blocks, self.task.render(person.shown, group))

    def contexts(self, person: Person) -> tuple[str, ...]:
        """The prompts about the person's counterfactual twins, one per group, the person's own included."""
        return tuple(self.context(person, group) for group in range(len(self.task.groups)))

    def decision(self, person: Person, part: Literal["train", "dev"]) -> PersonExample:
        """The person as a training example of mitigations; its cluster is the content, which twins share."""
        return PersonExample(
            id=f"decisions/{self.task.name}/{person.id}",
            cluster=person.content,
            contexts=self.contexts(person),
            groups=self.task.group_names,
            group=person.group,
            labels=self.task.labels,
            label=person.label,
            part=part,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer to one prompt.

    `probability` is the favourable label's share of both labels' probability, `decision` 1.0 or 0.0, None for
    a tie; both are None where neither label has any. `mass` is what both labels have together.
    """

    probability: Value
    decision: Value
    mass: float


def read(logs: Sequence[float]) -> Answer:
    """The answer in the log-probabilities (nats) of the two label words, the unfavourable one first."""
    against, favour = logs
    mass = min(round(math.exp(against) + math.exp(favour), MASS_DIGITS), 1.0)
    if math.isinf(against) and math.isinf(favour):
        return Answer(None, None, mass)
    odds = favour - against
    probability = 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
    return Answer(probability, None if tied(favour, against) else float(odds > 0), mass)
