"""Benchmarks: one file each, found by walking this folder.

A benchmark turns its data into samples, each sample into requests, and the answers into one `Score` of
named per-item values. It never touches a model: `evenhand.studies` runs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

from evenhand.benchmarks._common import data_digest
from evenhand.metrics import Metric
from evenhand.records import Card, GuardName, Request, Sample, Score, TrainingExample
from evenhand.registry import spec_of


class Benchmark(ABC):
    """What every benchmark is: a frozen dataclass, a subclass of this one, whose fields are its options.

    `card`, `metrics`, `read`, `ask` and `score` are the benchmark itself; everything else has a value that
    suits most of them. A class attribute says what is always the same, a property what the options decide.
    All that can be refused is refused when the benchmark is made: its options by `check`, its data as they
    are read.

    Attributes:
        card: who made it, what its figures mean, and the `digest` of what it asks.
        metrics: what to report.
        primary: the metric that a verdict on this benchmark is about; None for one that no verdict is about.
        guards: which of its figures plays which part in a verdict: ``mass`` is the probability of the words
            that its gaps are between, ``hints`` how far explicit hints are followed, ``rest`` a figure whose
            ideal is an end of its range and which must not get worse when the primary metric improves.
        needs: the guards without which a verdict cannot say that nothing else was lost, its own or others'.
        role: ``bias`` or ``capability``: a study reads it to know which side a figure belongs to.
        groups: the groups' names, in the order of the score columns; empty for capability.
        normalisation: how answers become comparable; a part of the measurement's protocol.
        template: how the prompts are worded; a part of the protocol, too.
        unfit: why families that the card does not name are refused, one sentence or more.
        message: the user's message for a model with a chat template, where ``{prompt}`` stands for the prompt
            of a `Generation`; empty where prompts are put as they are, whatever the model.
        draws: whether all requests of a sample are draws of one prompt, so that `score` takes any number of
            answers, one at least: those that have none are left out.
        read_by: what identifies the classifiers that read the answers: another one's figures are others.
        bare: the option that may stand without its key (``lm_eval:hellaswag``); empty for none.
    """

    bare: ClassVar[str] = ""

    def __post_init__(self) -> None:
        self.check()
        self.load()
        _ = self.card  # its digest goes over all requests: what cannot be asked is refused here, too

    def check(self) -> None:  # noqa: B027
        """Refuse options that are not possible, alone or together, before any data are read.

        Raises:
            EvenhandError: an option is not possible.
        """

    @property
    @abstractmethod
    def card(self) -> Card:
        """Who made it, and what its figures mean."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """What to report."""

    @property
    def primary(self) -> str | None:
        """The metric that a verdict is about."""
        return None

    @property
    def guards(self) -> Mapping[GuardName, str]:
        """Which of its figures plays which part in a verdict."""
        return {}

    @property
    def needs(self) -> Sequence[GuardName]:
        """The guards that a verdict on its primary metric needs."""
        return ()

    @property
    def role(self) -> Literal["bias", "capability"]:
        """Which side its figures belong to."""
        return "bias"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups' names, in the order of the score columns."""
        return ()

    @property
    def normalisation(self) -> str:
        """How answers become comparable."""
        return "none"

    @property
    def template(self) -> str:
        """How the prompts are worded."""
        return ""

    @property
    def unfit(self) -> str:
        """Why other families are refused."""
        return ""

    @property
    def message(self) -> str:
        """The user's message for a model with a chat template."""
        return ""

    @property
    def in_distribution(self) -> str:
        """What the items to measure share with the train part, as a sentence; empty for nothing."""
        return ""

    @property
    def read_by(self) -> tuple[str, ...]:
        """What identifies the classifiers that read the answers; empty without one. It opens them."""
        return ()

    @property
    def draws(self) -> bool:
        """Whether all requests of a sample are draws of one prompt."""
        return False

    @property
    def name(self) -> str:
        """The canonical spec, such as ``genbiaseval:split=profession``: the card's name and the options."""
        return spec_of(self.card.name, self)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that is asked and what judges it, for the card."""
        return data_digest(self.load(), self.ask)

    @cached_property
    def _loaded(self) -> tuple[Sample, ...]:
        return tuple(self.read())

    def load(self) -> Sequence[Sample]:
        """The samples to measure, in a fixed order; they are read once."""
        return self._loaded

    @abstractmethod
    def read(self) -> Iterable[Sample]:
        """The samples, read from wherever they come from.

        Raises:
            BadData: they cannot be read, or are malformed: all problems at once.
        """

    @abstractmethod
    def ask(self, sample: Sample) -> Sequence[Request]:
        """The requests of one sample, in the order in which `score` wants the answers."""

    @abstractmethod
    def score(self, sample: Sample, answers: Sequence[Any]) -> Score:
        """One sample's answers as per-item values.

        `answers` has a `LogProb` for each `Continuation`, a `Completion` for each `Generation` and so on.
        """

    def examples(self) -> Sequence[TrainingExample]:
        """What a mitigation may fit on, disjoint from `load`; empty where there is nothing."""
        return ()

    def anchors(self) -> Sequence[TrainingExample]:
        """Prompts whose answers a mitigation should leave alone (`keep`)."""
        return ()

    def fits(self, model: Any) -> None:  # noqa: B027
        """Refuse a model that cannot be asked, before anything is asked.

        Raises:
            BadModel: it cannot, although its family fits.
        """

    def ready(self) -> None:  # noqa: B027
        """Open what scoring needs in addition to the answers, such as a classifier, before any request.

        Raises:
            EvenhandError: it cannot be opened.
        """

    def prepare(self, answers: Sequence[Sequence[Any]]) -> None:  # noqa: B027
        """Prepare scoring once from all answers, [samples][requests of a sample], before the first `score`.

        A classifier reads all texts at once here.
        """

    def remarks(self, scores: Sequence[Score]) -> Sequence[str]:
        """Remarks on the scores in addition to the figures, such as p-values; each is one paragraph."""
        return ()
