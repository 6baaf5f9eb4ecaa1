"""What was concluded from measurements: where the bias is located, and whether it was mitigated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from evenhand.records.made import MadeBy
from evenhand.records.measured import Estimate, Measurement, ModelSpec, Value

__all__ = [
    "TREATED", "Attribution", "CapabilityResult", "Check", "ControlPoint", "ControlResult", "Effect",
    "FamilyResult", "SiteScore", "VerdictName", "Verification",
]  # fmt: skip

TREATED = "treated: "  # before the name of a treated model that somebody made, in place of a treatment's spec


@dataclass(frozen=True, slots=True)
class SiteScore:
    """A locator's score of `site` (such as ``block.3``), in the locator's own unit; higher is more."""

    site: str
    value: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """A locator's answer. `specific` is False when it does not look at the attribute at all (BMI).

    `claims` is False when the locator itself finds nothing worth acting on (an unbiased model). `made_by`
    does not count when two are compared.
    """

    locator: str
    specific: bool
    scores: tuple[SiteScore, ...]
    reading: str
    claims: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)
    made_by: MadeBy | None = field(default=None, compare=False)

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
    COST_UNKNOWN = "mitigated, cost unknown"
    CAPABILITY_LOSS = "capability loss only"
    OVER_CORRECTED = "over-corrected"
    NO_EVIDENCE = "no evidence"
    WORSE = "worse"
    NOT_COMPARABLE = "not comparable"

    @property
    def settled(self) -> bool:
        """Whether the question was answered, whatever the answer; `verify` exits with 3 otherwise."""
        return self not in (VerdictName.NOT_COMPARABLE, VerdictName.COST_UNKNOWN)


@dataclass(frozen=True, slots=True)
class Effect:
    """One metric before and after on the same items; `change` is after - before with its paired interval.

    `relative` is the change as a share of the figure before, and for an ideal inside the metric's range as a
    share of the distance from it (-1: the ideal is reached); None where undefined. `p_value` is adjusted by
    Holm's method for the metrics of one benchmark, `raw_p_value` is not.
    """

    benchmark: str
    metric: str
    before: Estimate
    after: Estimate
    change: Estimate
    relative: Value
    p_value: Value = None
    raw_p_value: Value = None


@dataclass(frozen=True, slots=True)
class Check:
    """A pre-registered limit: `loss` (one-sided bound in `high`) must stay below `margin`.

    `kept` is True when the bound excludes a loss beyond the margin, False when the loss itself is
    certainly beyond it, None when the data cannot tell. `items_needed` is how many items would probably
    decide an undecided check of answers; None for any other.
    """

    name: str
    before: Estimate
    after: Estimate
    loss: Estimate
    margin: float
    kept: bool | None
    reading: str
    items_needed: int | None = None


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

    With B the bias and C the capability of a model, M0 the base model, M* the treated one, and f the family's
    bias at a given capability: `capability_part` is K = B(M0) - f(C(M*)), `specific` is S = f(C(M*)) - B(M*).
    `matched` is False when no dose reaches the treated model's capability: then K, S and the p-value are
    undefined. `dose` is the one that reaches it; `equivalent` says whether S is certainly negligible.
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

    `reduced` says that fewer doses or seeds ran than a full control has. `delta` is the largest S that counts
    as negligible, and `minimum_detectable` the smallest S that would probably have been detected.
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
    """Before, treat, after, verdict. `primary` is the metric that the verdict is about.

    `treatment` is the spec of the method, or `TREATED` and the name of a model that was treated already.
    `uncontrolled` says why there could be no control models, empty where there could. `remarks` are the
    reasons that the way to the treated model adds to those of the rule. `made_by` is what gave the verdict
    (each measurement has its own); it does not count when two are compared.
    """

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
    primary: str | None = None
    uncontrolled: str = ""
    remarks: tuple[str, ...] = ()
    made_by: MadeBy | None = field(default=None, compare=False)
