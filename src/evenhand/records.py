"""The frozen records that cross floors or reach disk, and their one JSON round trip.

Undefined values are ``None`` everywhere, never ``0`` and never ``NaN``: strict JSON has no NaN, and a
zero would read as "no bias". `to_json` refuses NaN and infinities for the same reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeVar

from evenhand.requests import (
    Completion,
    Continuation,
    Generation,
    LogProb,
    Request,
    Response,
    Sampling,
    Until,
)

__all__ = [
    "Attribution", "Capability", "CapabilityResult", "Card", "Check", "Completion", "Continuation",
    "ControlPoint", "ControlResult", "Decision", "Effect", "Estimate", "Example", "FamilyResult",
    "Generation", "LogProb", "Material", "Measurement", "ModelSpec", "Protocol", "Request", "Response",
    "Sample", "Sampling", "Score", "SiteScore", "Until", "Value", "VerdictName", "Verification",
    "digest", "from_json", "to_json",
]  # fmt: skip

T = TypeVar("T")
Value = float | None


class Capability(StrEnum):
    """What a model lets us do; a method states what it `needs`, a model what it `can`.

    ``cloze`` is reading masked words with the text on both sides in view; ``hidden`` also gives embeddings.
    """

    LOGPROBS = "logprobs"
    GENERATE = "generate"
    HIDDEN = "hidden"
    GRADIENTS = "gradients"
    WEIGHTS = "weights"
    CLOZE = "cloze"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model exactly: `digest` is the SHA-256 of its weights and tokenizer (or recorded answers).

    `origin` says what was done to the stored weights, such as "dequantised from Q4_1 (GGUF)".
    """

    uri: str
    digest: str
    family: str = "causal"
    revision: str | None = None
    dtype: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    origin: str | None = None


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
class Example:
    """A prompt and the surface forms of each group's term that may follow it.

    Mitigations fit on examples and locators probe with them. `terms[g]` holds the mutually exclusive
    surface forms of group `groups[g]`, each with its leading space. `id` is the benchmark's sample id,
    so that a study can refuse to test on what was trained on. `keep` marks a prompt whose answer is right as
    the model gives it (the prompt states the group): nothing to mitigate, but something to lose.
    """

    id: str
    cluster: str
    context: str
    groups: tuple[str, ...]
    terms: tuple[tuple[str, ...], ...]
    keep: bool = False

    def requests(self) -> list[Continuation]:
        """Every surface form of every group after the prompt, group by group."""
        return [Continuation(self.context, form) for forms in self.terms for form in forms]


@dataclass(frozen=True, slots=True)
class Decision:
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

    def requests(self) -> list[Continuation]:
        """Every label word after every twin's prompt, twin by twin."""
        return [Continuation(context, label) for context in self.contexts for label in self.labels]


Material = Example | Decision
"""What a mitigation fits on."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval: `low`..`high` at `level`, from `n` defined items.

    `value` None means undefined (no defined item); `low` and `high` are None where an interval cannot
    be had. `undefined` counts the items left out because their own value is undefined.
    """

    value: Value
    low: Value
    high: Value
    n: int
    ideal: Value = None
    undefined: int = 0
    level: float = 0.95


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
    items were taken of more: such a run is not reportable.
    """

    data: str
    scorer: str = "chain-rule/1"
    normalisation: str = "none"
    template: str = ""
    dtype: str | None = None
    seed: int = 0
    limited: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A benchmark taken on a model. The per-item `scores` stay with it: everything else derives from them.

    `role` is the benchmark's: ``bias``, or ``capability``, whose figures say nothing about the groups' words.
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


@dataclass(frozen=True, slots=True)
class SiteScore:
    """How much of what a locator looks for sits at `site` (such as ``block.3``)."""

    site: str
    value: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """A locator's answer. `specific` is False when it does not look at the attribute at all (BMI).

    `claims` is False when the locator itself finds nothing worth acting on (an unbiased model).
    """

    locator: str
    specific: bool
    scores: tuple[SiteScore, ...]
    reading: str
    claims: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)

    def ranking(self) -> tuple[str, ...]:
        """Sites from the highest score to the lowest; ties keep the order of depth."""
        return tuple(s.site for s in sorted(self.scores, key=lambda s: -s.value))

    @property
    def top(self) -> str:
        """The site with the highest score."""
        return self.ranking()[0]


class VerdictName(StrEnum):
    """The only answers that `verify` gives."""

    MITIGATED = "mitigated"
    AT_A_COST = "mitigated at a cost"
    CAPABILITY_LOSS = "capability loss only"
    OVER_CORRECTED = "over-corrected"
    NO_EVIDENCE = "no evidence"
    WORSE = "worse"
    NOT_COMPARABLE = "not comparable"

    @property
    def settled(self) -> bool:
        """Whether the question was answered, whatever the answer; `verify` exits with 3 otherwise."""
        return self is not VerdictName.NOT_COMPARABLE


@dataclass(frozen=True, slots=True)
class Effect:
    """One metric before and after on the same items; `change` is after - before with its paired interval."""

    benchmark: str
    metric: str
    before: Estimate
    after: Estimate
    change: Estimate
    relative: Value
    p_value: Value = None


@dataclass(frozen=True, slots=True)
class Check:
    """A pre-registered limit: `loss` (one-sided bound in `high`) must stay below `margin`.

    `kept` is True when the bound excludes a loss beyond the margin, False when the loss itself is
    certainly beyond it, None when the data cannot tell.
    """

    name: str
    before: Estimate
    after: Estimate
    loss: Estimate
    margin: float
    kept: bool | None
    reading: str


@dataclass(frozen=True, slots=True)
class CapabilityResult:
    """All capability checks; `kept` is True only if every one of them is."""

    kept: bool | None
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class ControlPoint:
    """One control model: its dose and seed, its capability C (base = 0, SD units) and its bias B."""

    dose: float
    seed: int
    capability: Value
    bias: Value


@dataclass(frozen=True, slots=True)
class FamilyResult:
    """One family of control models read at the treated model's capability.

    `capability_part` is K = B(M0) - f(C(M*)), `specific` is S = f(C(M*)) - B(M*). `matched` is False when
    no dose reaches the treated model's capability: then K, S and the p-value are undefined.
    """

    family: str
    points: tuple[ControlPoint, ...]
    matched: bool
    dose: Value
    capability_part: Estimate
    specific: Estimate
    p_value: Value
    equivalent: bool | None


@dataclass(frozen=True, slots=True)
class ControlResult:
    """The capability-matched control. `total` is T = B(M0) - B(M*); `p_value` the largest over families.

    `reduced` says that fewer doses or seeds ran than the specification asks for.
    """

    metric: str
    reduced: bool
    delta: float
    total: Estimate
    capability_before: Value
    capability_after: Value
    families: tuple[FamilyResult, ...]
    p_value: Value
    minimum_detectable: Value


@dataclass(frozen=True, slots=True)
class Verification:
    """Before, treat, after, verdict."""

    verdict: VerdictName
    reasons: tuple[str, ...]
    model: ModelSpec
    treatment: str
    seed: int
    before: tuple[Measurement, ...]
    after: tuple[Measurement, ...]
    effects: tuple[Effect, ...]
    capability: CapabilityResult
    guards: tuple[Check, ...]
    control: ControlResult | None
    location: Attribution | None = None
    proof: Mapping[str, Any] = field(default_factory=dict)
    limited: bool = False
    notes: tuple[str, ...] = ()


def digest(*parts: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `parts`: the key of everything that is stored."""
    text = json.dumps(
        [to_json(part) for part in parts], sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def to_json(value: Any) -> Any:
    """A record as plain JSON values (dicts, lists, strings, finite numbers, None).

    Raises:
        ValueError: a float is NaN or infinite: undefined must be None by the time it is stored.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [to_json(item) for item in items]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} cannot be stored: an undefined figure is None")
    return value


def from_json(kind: type[T], data: Any) -> T:
    """The inverse of `to_json` for the record class `kind`, with validation.

    Raises:
        pydantic.ValidationError: the data does not have the shape of `kind`.
    """
    import pydantic

    return pydantic.TypeAdapter(kind).validate_python(data)
