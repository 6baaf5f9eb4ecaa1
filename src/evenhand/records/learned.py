"""Training examples: what mitigations and controls are fitted on, and what locators probe with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

from evenhand.records.asked import Continuation

__all__ = [
    "EVERY_KIND", "Example", "Kinds", "PairExample", "PersonExample", "TextExample", "TrainingExample",
]  # fmt: skip

_OTHER_PART = "Measure a part that is not trained on (part=test or part=dev)."


@runtime_checkable
class TrainingExample(Protocol):
    """One item to learn from. Each kind is a class; methods name the kinds that they can use (`fits_on`).

    Attributes:
        what: the kind in words, as a list of such items: "people to decide on".
        noun: the same in one word or two, plural: "people".
        given_by: the benchmark that gives such examples by default; empty where none does.
        apart: what to type so that training and test items do not overlap.
    """

    what: ClassVar[str]
    noun: ClassVar[str]
    given_by: ClassVar[str]
    apart: ClassVar[str]

    @property
    def id(self) -> str:
        """The benchmark's sample id, so that a study can refuse to test on what was trained on."""
        ...

    @property
    def cluster(self) -> str:
        """What the item is resampled together with, as a sample's cluster."""
        ...

    @property
    def keep(self) -> bool:
        """Whether the model's answer is right as it is: a mitigation should not change it."""
        ...

    @property
    def subject(self) -> str | None:
        """The cluster that must not be measured after training on it; None where only the item must not."""
        ...

    def requests(self) -> Sequence[Continuation]:
        """What to ask to see whether a treatment changed anything about this item."""
        ...


Kinds = tuple[type[TrainingExample], ...]
"""Kinds of training examples, as a method's `fits_on` names them."""


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the surface forms of each group's term that may follow it.

    `terms[g]` holds the mutually exclusive surface forms of group `groups[g]`, each with its leading space.
    `keep` marks a prompt that states the group. `span` is where in `context` stands whom the prompt is about
    (start and end, in characters): what model editing takes as its subject. None where that is not known.
    """

    id: str
    cluster: str
    context: str
    groups: tuple[str, ...]
    terms: tuple[tuple[str, ...], ...]
    keep: bool = False
    span: tuple[int, int] | None = None

    what: ClassVar[str] = "prompts that groups' terms may follow"
    noun: ClassVar[str] = "prompts"
    given_by: ClassVar[str] = "genbiaseval"
    apart: ClassVar[str] = _OTHER_PART
    subject: ClassVar[None] = None

    def requests(self) -> list[Continuation]:
        """Every surface form of every group after the prompt, group by group."""
        return [Continuation(self.context, form) for forms in self.terms for form in forms]


@dataclass(frozen=True, slots=True)
class PersonExample:
    """A person to decide on, as prompts: what mitigations of decisions fit on.

    `contexts[g]` is the prompt of the same person with the sensitive attribute set to `groups[g]`, everything
    else alike (counterfactual twins); `group` is the person's own. `labels` are the label words, each with
    its leading space; the last one is the favourable decision, and `label` is the true outcome's index.
    `part` is ``train``, or ``dev`` for held-out people (early stopping, thresholds, calibration).
    """

    id: str
    cluster: str
    contexts: tuple[str, ...]
    groups: tuple[str, ...]
    group: int
    labels: tuple[str, ...]
    label: int
    part: Literal["train", "dev"] = "train"
    keep: bool = False

    what: ClassVar[str] = "people to decide on"
    noun: ClassVar[str] = "people"
    given_by: ClassVar[str] = "decisions"
    apart: ClassVar[str] = "Give all benchmarks of these people the same seed, so that their parts differ."

    @property
    def subject(self) -> str:
        """The person's cluster: people of the same content are the same people under other ids."""
        return self.cluster

    def twin(self, group: int) -> Example:
        """The prompt with the attribute set to ``groups[group]``, the label words in the place of terms."""
        words = tuple((label,) for label in self.labels)
        return Example(
            f"{self.id}/{self.groups[group]}", self.cluster, self.contexts[group], self.labels, words
        )

    def requests(self) -> list[Continuation]:
        """Every label word after every twin's prompt, twin by twin."""
        return [Continuation(context, label) for context in self.contexts for label in self.labels]


@dataclass(frozen=True, slots=True)
class TextExample:
    """A plain text to model as it stands: for tuning on texts, as they are or with groups exchanged (CDA)."""

    id: str
    cluster: str
    text: str
    keep: bool = False

    what: ClassVar[str] = "texts to model"
    noun: ClassVar[str] = "texts"
    given_by: ClassVar[str] = ""
    apart: ClassVar[str] = _OTHER_PART
    subject: ClassVar[None] = None

    def requests(self) -> list[Continuation]:
        """The whole text from the model's start token on."""
        return [Continuation("", self.text)]


@dataclass(frozen=True, slots=True)
class PairExample:
    """Two sentences that differ in the group alone.

    `sentence` is the stereotyping one, or the one as it was found; `counterpart` is the anti-stereotyping
    one, or the same with the group exchanged.
    """

    id: str
    cluster: str
    sentence: str
    counterpart: str
    keep: bool = False

    what: ClassVar[str] = "pairs of sentences that differ in the group alone"
    noun: ClassVar[str] = "pairs of sentences"
    given_by: ClassVar[str] = ""
    apart: ClassVar[str] = "Measure a benchmark of other items, such as -b genbiaseval or -b stereoset."
    subject: ClassVar[None] = None

    def requests(self) -> list[Continuation]:
        """Both sentences from the model's start token on."""
        return [Continuation("", self.sentence), Continuation("", self.counterpart)]


EVERY_KIND: Kinds = (Example, PersonExample, TextExample, PairExample)
"""For methods that need no more of an example than its `requests`."""
