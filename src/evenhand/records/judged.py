"""What was concluded from measurements: where the bias is located, and whether it was mitigated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from evenhand.records.made import MadeBy
from evenhand.records.measured import Estimate, Measurement, ModelSpec, Value
from evenhand.records.shown import Shown

__all__ = [
    "TREATED", "Attribution", "CapabilityResult", "Check", "ControlPoint", "ControlResult", "Effect",
    "FamilyResult", "SeedResult", "SiteScore", "VerdictName", "Verification",
]  # fmt: skip

TREATED = "treated: "  # before the name of a treated model that somebody made, in place of a treatment's spec


@dataclass(frozen=True, slots=True)
class SiteScore:
    """A locator's score of `site` (such as ``block.3``), in the locator's own unit; higher is more."""

    site: str
    value: float


@dataclass(frozen=True, slots=True, repr=False)
class Attribution(Shown):
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

    def _heading(self) -> str:
        if not self.scores or (self.specific and not self.claims):
            return f"{self.locator} points to no block"
        ranked = f"{self.locator} ranks {self.top} first of {len(self.scores)}"
        return ranked if self.specific else f"{ranked}, without looking at the attribute"

    def _reading(self) -> str:
        return self.reading

    def _rows(self) -> list[dict[str, Any]]:
        return [{"site": one.site, "score": one.value} for one in self.scores]


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
    """One control model: its dose and seed, its capability C (base = 0, SD units) and its bias B.

    `size` is the size of its change (see `ControlResult`), None where it was not measured. `share` is the
    share of the items on which its bias is defined: below nine tenths the model is broken, and not used.
    """

    dose: float
    seed: int
    capability: Value
    bias: Value
    size: Value = None
    share: Value = None


@dataclass(frozen=True, slots=True)
class FamilyResult:
    """One family of control models, read where it changed the model as much as the treatment did.

    With B the bias of a model, M0 the base, M* the treated model, and f what the family predicts for one more
    model there, at most B(M0): `capability_part` is K = B(M0) - f, what such a change does by itself, and
    `specific` is S = f - B(M*), with its prediction interval. `p_value` tests S <= 0, and `p_worse` that the
    treated model is no worse than one more of the family; both None where nothing can be predicted.

    Attributes:
        dose: the dose at which the family is read; None where there is none.
        basis: what is equal there: ``size`` of the change, ``loss`` of capability, or ``recipe``.
        state: ``matched``; ``unmatched`` (reaches neither the size nor the loss), ``inert`` (not even half of
            the size), ``broken`` (more than a quarter of its models), ``few`` models; empty in old records.
        p_limit: the largest p-value with which an effect is claimed after this number of models.
        equivalent: whether S is certainly negligible.
    """

    family: str
    points: tuple[ControlPoint, ...]
    matched: bool
    dose: Value
    capability_part: Estimate
    specific: Estimate
    p_value: Value
    equivalent: bool | None
    basis: str = ""
    state: str = ""
    p_limit: Value = None
    p_worse: Value = None


@dataclass(frozen=True, slots=True)
class ControlResult:
    """The control. `total` is T = B(M0) - B(M*); `p_value` the largest over families.

    `reduced` says that the control cannot carry a claim: too few kinds, or none that is the treatment's sham.
    `delta` is the smallest relevant effect, and `minimum_detectable` the smallest S that would probably have
    been detected.

    Attributes:
        size: the size d(M*) of the treated model's change: the root of the mean KL divergence from base to
            treated over the next words of neutral text, in root nats; None where it was not measured.
        loss: the loss of capability of the treated model, in the items' standard deviations, with its
            one-sided 95 % bounds; None in old records.
        absent: one sentence for each family of which no model could be made.
        least: how much of the fall has to lie beyond each family; None in old records, where it was the
            larger part and at least `delta`.
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
    size: Value = None
    loss: Estimate | None = None
    absent: tuple[str, ...] = ()
    least: Value = None


@dataclass(frozen=True, slots=True)
class SeedResult:
    """One of several treated models of a method: the seed of its fit, and how it was judged.

    `digest` is that of its treatment. The other fields are those of its own `Verification`, without
    measurements.
    """

    seed: int
    digest: str
    verdict: VerdictName
    reasons: tuple[str, ...]
    effects: tuple[Effect, ...]
    capability: CapabilityResult
    guards: tuple[Check, ...]
    control: ControlResult | None


@dataclass(frozen=True, slots=True, repr=False)
class Verification(Shown):
    """Before, treat, after, verdict. `primary` is the metric that the verdict is about.

    `treatment` is the spec of the method, or `TREATED` and the name of a model that was treated already.
    `uncontrolled` says why there could be no control models, empty where there could. `remarks` are the
    reasons that the way to the treated model adds to those of the rule. `beside` are further readings of the
    treated model: how far its expectations moved, and its bias at the base's temperature. `made_by` is what
    gave the verdict (each measurement has its own); it does not count when two are compared.

    `seeds` are the treated models of a verdict on a *method*, empty for a verdict on one artefact. Then
    everything else but `seed`, the first one, is that of the weakest of them.
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
    beside: tuple[Measurement, ...] = ()
    seeds: tuple[SeedResult, ...] = ()
    made_by: MadeBy | None = field(default=None, compare=False)

    def _heading(self) -> str:
        return f"{self.verdict}: {self.model.uri} with {self.treatment}"

    def _reading(self) -> str:
        return " ".join(self.reasons[:1])

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "benchmark": one.benchmark,
                "metric": one.metric,
                "before": one.before.value,
                "after": one.after.value,
                "change": one.change.value,
                "low": one.change.low,
                "high": one.change.high,
                "p (Holm)": one.p_value,
            }
            for one in self.effects
        ]
