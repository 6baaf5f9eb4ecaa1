"""What was measured: the model, the items with their scores, the figures and their conditions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from evenhand.records.made import MadeBy
from evenhand.records.shown import Shown

__all__ = [
    "Card", "Estimate", "GuardName", "Measurement", "ModelSpec", "Protocol", "Sample", "Score", "Value",
]  # fmt: skip

Value = float | None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model exactly: `digest` is the SHA-256 of its weights and tokenizer (or recorded answers), and
    `settings` that of its configuration as far as it decides answers; None without one, and in older records.

    `origin` says what was done to the stored weights, such as "dequantised from Q4_1 (GGUF)", and `device`
    where they were when it was opened; None without weights.
    """

    uri: str
    digest: str
    family: str = "causal"
    revision: str | None = None
    dtype: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    origin: str | None = None
    device: str | None = None
    settings: str | None = None

    @property
    def identity(self) -> str:
        """What decides the answers: the digest alone where nothing is known of a configuration."""
        if self.settings is None:
            return self.digest
        return hashlib.sha256(f"{self.digest} {self.settings}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Sample:
    """One benchmark item. `cluster` names what is resampled together (a profession, a target term)."""

    id: str
    cluster: str
    fields: Mapping[str, Any]
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """One scored item: named per-item values (None is undefined) and the slices it belongs to."""

    sample: str
    cluster: str
    values: Mapping[str, Value]
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval: `low`..`high` at `level`, from `n` defined items.

    `value` None means undefined (no defined item); `low` and `high` are None where no interval can be
    computed. `undefined` counts the items left out because their own value is undefined. `method` names the
    interval (`docs/adr/0017-intervals.md`; empty without one, and in records of earlier versions), and
    `few_clusters` says that fewer than 20 clusters are behind one that skewed data then make too short.
    """

    value: Value
    low: Value
    high: Value
    n: int
    ideal: Value = None
    undefined: int = 0
    level: float = 0.95
    method: str = ""
    few_clusters: bool = False


class GuardName(StrEnum):
    """The parts that figures of a benchmark play in a verdict, apart from the figure that it is about.

    ``mass`` is the probability of the words that a gap is between, ``hints`` how far explicit hints are
    followed, ``rest`` another figure that must not get worse while the gap gets smaller, ``moved`` how far
    the probabilities of all other words moved, which no benchmark reports: a study measures it. Of decisions
    about people ``balanced accuracy`` and ``positive rate`` (that of each group), of embeddings ``raw
    association``, beside which an effect size is read.
    """

    MASS = "mass"
    HINTS = "hints"
    REST = "rest"
    MOVED = "moved"
    BALANCED = "balanced accuracy"
    RATES = "positive rate"
    ASSOCIATION = "raw association"


@dataclass(frozen=True, slots=True)
class Card:
    """What a benchmark or a metric is, for people: `reading` says how to read its numbers."""

    name: str
    version: str
    title: str
    source: str
    licence: str
    digest: str = ""
    families: tuple[str, ...] = ("causal",)  # what it can be taken on; `measure` refuses others
    reading: str = ""


@dataclass(frozen=True, slots=True)
class Protocol:
    """The conditions of a measurement; two measurements compare only where all of these agree.

    `scorer` names the scoring engine's definition of a log-probability. `limited` is True where `limit`
    items were taken of more: such a run is not reportable. `read_by` identifies the classifiers that read
    what was written (`Benchmark.read_by`).
    """

    data: str
    scorer: str = "chain-rule/1"
    normalisation: str = "none"
    template: str = ""
    dtype: str | None = None
    seed: int = 0
    limited: bool = False
    limit: int | None = None
    read_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Measurement(Shown):
    """A benchmark taken on a model. The per-item `scores` stay with it: everything else derives from them.

    `role` is the benchmark's: ``bias``, or ``capability``, whose figures say nothing about the groups' words.
    `primary` is the metric that a verdict on it is about, None where no verdict is, and `guards` names the
    metrics that play another part in one; `needs` are the guards without which no verdict on it can say that
    nothing else was lost. `made_by` is no part of what was found, so two measurements can be
    equal without it; None in runs of schema 1.
    """

    model: ModelSpec
    benchmark: str
    card: Card
    protocol: Protocol
    n: int
    metrics: Mapping[str, Estimate]
    slices: Mapping[str, Mapping[str, Estimate]]
    scores: tuple[Score, ...] = field(default=(), repr=False)
    treatment: str | None = None
    notes: tuple[str, ...] = ()
    role: str = "bias"
    primary: str | None = None
    guards: Mapping[GuardName, str] = field(default_factory=dict)
    needs: tuple[GuardName, ...] = ()
    made_by: MadeBy | None = field(default=None, compare=False)
    _absent: ClassVar[Mapping[str, str]] = {"ideal": "none"}

    def _heading(self) -> str:
        treated = f", treated by {self.treatment}" if self.treatment else ""
        return f"{self.benchmark} on {self.model.uri}{treated}, {self.n} items"

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "benchmark": self.benchmark,
                "metric": metric,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "n": one.n,
                "ideal": one.ideal,
            }
            for metric, one in self.metrics.items()
        ]
