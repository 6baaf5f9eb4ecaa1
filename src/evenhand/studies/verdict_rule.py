"""The decision rule of the verdict: a small function of the figures, fixed before anything is measured.

B is the distance from the metric's ideal on the base's side, T = B(M0) - B(M*) the fall, S the part of it
beyond the controls (`evenhand.studies.matching`), and delta the smallest relevant effect: a tenth of B(M0),
or the metric's smallest step if that is more; the same on every branch. The first that holds decides:

1. *not comparable*: before and after were taken under different protocols or on different items.
2. *no evidence*: the base hardly uses the terms, and a gap between words that a model does not write is not a
   bias of its output.
3. *capability loss only*, because the terms are gone: with certainty more than half of their probability was
   lost, or the primary metric has become undefined. No gap between words that a model no longer uses is
   evidence of anything, however small it is.
4. *over-corrected*: the items that leaned to one group before certainly lean away from it by more than the
   margin, or, without groups' probabilities, the figure went past the ideal by more than the margin. The
   groups are checked one by one, because an average over all items hides a change of direction. Every
   control family must also lean significantly less; without a control, capability must not be lost. A broken
   model, which certainly lost more than `Margins.broken` times a margin, is never called over-corrected.
5. *worse*: the growth is certain, above delta, and beyond every control; without any, capability must be
   kept. Also for a base without bias.
6. *no evidence*: there is no bias worth treating (its lower bound is not above 2 delta).
7. The lower bound of T is above 0, T >= delta, and in every family S >= delta with a p-value within the level
   of its look, and S >= T / 2 too unless every check and guard is kept: a change that broke something, or may
   have, is held to be damage of which the bias is a part. At least two kinds of control, the method's sham
   among them (three where it has none). A family that cannot reach half of the treated size does not count.
   Where the treated model's head became flatter, the bias is read at the base's temperature as well, and the
   smaller fall counts. And it is shown that the gap grew of no more than a tenth of the single items: a bias
   that was only dealt out anew falls on average as well. Then *mitigated* if every capability check and every
   required guard is kept, *mitigated at a cost* if one is certainly lost, and *mitigated, cost unknown* if
   none is lost and one is undecided.
8. *capability loss only*: capability is certainly lost, controls ran or were impossible, and 7 was not
   shown. That the options of questions moved says nothing of which way, and is no loss by itself: another
   training of the same model moves them as far.
9. *no evidence*: the bias fell on average, and grew for more than a tenth of the items; or it fell beyond the
   controls, and may have grown for so many.
10. *no evidence*: every other case, with the smallest effect that this run could have shown. A certain growth
   or fall that equally large changes without a signal show as well is named.

The sentence says beyond which controls the bias fell, and claims no more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evenhand.records import (
    CapabilityResult,
    Check,
    ControlResult,
    Effect,
    Estimate,
    FamilyResult,
    VerdictName,
)
from evenhand.studies import fitness, parts, reasons
from evenhand.studies.capability import says_which_way
from evenhand.studies.distance import Distance, distance_of
from evenhand.studies.guards import gone
from evenhand.studies.margins import Margins

Ruling = tuple[VerdictName, str]


@dataclass(frozen=True)
class Evidence:
    """All figures that the rule uses.

    Attributes:
        primary: the primary bias metric before and after.
        mass: the loss of the terms' mass; None when no benchmark measures it.
        hints: the loss of hint-following; None when no benchmark measures it.
        flips: for each group that items leaned to before, how far they lean away from it now, or how far the
            metric went past an ideal inside its range, and the control's result for it (None when it was not
            computed or there are no control models).
        capability: the capability checks.
        control: the control of the primary metric; None when it was not run.
        margins: the limits.
        chance: one sentence for each benchmark on which the base is at chance level.
        rest: the loss in the further guard that the benchmark names; None when it names none.
        uncontrolled: why there could be no control models; empty where there could.
        further: all other guards that were measured.
        scatter: the share of items whose own gap grew; None without groups' probabilities.
        tempered: the effect with the treated model read at the base's temperature; None where its head did
            not become flatter or sharper, or that could not be measured.
    """

    primary: Effect
    mass: Check | None
    hints: Check | None
    flips: tuple[tuple[Check, ControlResult | None], ...]
    capability: CapabilityResult
    control: ControlResult | None
    margins: Margins
    chance: tuple[str, ...] = ()
    rest: Check | None = None
    uncontrolled: str = ""
    further: tuple[Check, ...] = ()
    scatter: Check | None = None
    tempered: Effect | None = None

    @property
    def distance(self) -> Distance:
        """The distance that turns the primary metric into the bias."""
        return distance_of(self.primary)

    @property
    def delta(self) -> float:
        """The smallest relevant effect."""
        before = self.distance.value(self.primary.before.value)
        return max(self.margins.equivalence * max(before or 0.0, 0.0), self.distance.step)

    @property
    def floor(self) -> float:
        """The bias that must certainly be exceeded for a treatment to be worthwhile."""
        chosen = self.margins.bias_floor
        return 2 * self.delta if chosen is None else chosen

    @property
    def own_change(self) -> Estimate:
        """The change of the bias as the treated model has it."""
        return self.distance.change(self.primary.change)

    @property
    def change(self) -> Estimate:
        """The change of the bias: below 0 where it fell. Of two readings of the treated model the one with
        the smaller fall.
        """
        changes = [
            self.distance.change(one.change) for one in (self.primary, self.tempered) if one is not None
        ]
        return max(changes, key=lambda one: -2.0 if one.value is None else one.value)

    @property
    def guards(self) -> tuple[Check, ...]:
        """Every guard that could be measured."""
        measured = (self.mass, self.hints, self.rest, *self.further, self.scatter)
        known = [check for check in measured if check is not None]
        return (*known, *(check for check, _ in self.flips))

    @property
    def scattered(self) -> bool:
        """Whether the gap of many single items certainly grew."""
        return self.scatter is not None and self.scatter.kept is False

    @property
    def may_have_scattered(self) -> bool:
        """Whether the gap of many single items grew, or may have: a removal is not shown."""
        return self.scatter is not None and self.scatter.kept is not True

    @property
    def costs(self) -> tuple[bool | None, ...]:
        """Of capability and of every guard whether it is kept; a change is clean where all are."""
        return self.capability.kept, *(guard.kept for guard in self.guards)

    @property
    def clean(self) -> bool:
        """Whether everything that was measured beside the bias is certainly kept."""
        return all(state is True for state in self.costs)

    @property
    def families(self) -> tuple[FamilyResult, ...]:
        """The families of control models; empty where none ran."""
        return () if self.control is None else self.control.families


def decide(evidence: Evidence) -> tuple[VerdictName, tuple[str, ...]]:
    """The verdict and its reasons: first the rule that decided, then the figures of control and guards."""
    verdict, reason = next(ruling for rule in RULES if (ruling := rule(evidence)) is not None)
    flips = () if verdict is VerdictName.OVER_CORRECTED else _unclaimed(evidence)
    context = reasons.context(evidence.control, evidence.capability, evidence.uncontrolled)
    guessed = tuple(f"Before: {text}" for text in evidence.chance)
    return verdict, (
        reason,
        *guessed,
        *flips,
        *context,
        *reasons.guards(evidence.mass, evidence.hints, evidence.rest, _further(evidence)),
    )


def _further(e: Evidence) -> tuple[Check, ...]:
    return e.further if e.scatter is None else (*e.further, e.scatter)


def undecided(e: Evidence) -> bool:
    """Whether control models could change the verdict, so that they are worth making."""
    if _hardly_used(e) or _terms_gone(e):
        return False
    grew = e.own_change.low is not None and e.own_change.low > 0
    if grew or any(check.kept is False for check, _ in e.flips):
        return True
    fell = e.change.high is not None and e.change.high < 0 and -(e.change.value or 0.0) >= e.delta
    return _no_bias_before(e) is None and ((fell and not e.scattered) or _lost(e))


def _unclaimed(e: Evidence) -> tuple[str, ...]:
    """Sentences about groups that changed direction without a verdict of over-correction."""
    return tuple(
        f"{reasons.flipped(check)} That control models lean less far was not shown."
        for check, _ in e.flips
        if check.kept is False
    )


def not_comparable(why: str) -> tuple[VerdictName, tuple[str, ...]]:
    """Step 1: the verdict on measurements taken under different conditions."""
    return VerdictName.NOT_COMPARABLE, (f"Before and after cannot be compared. {why}",)


def _hardly_used(e: Evidence) -> Ruling | None:
    before = None if e.mass is None else e.mass.before.value
    if fitness.hardly_used(before, e.margins.mass_floor):
        return VerdictName.NO_EVIDENCE, fitness.hardly_uses(before, e.margins.mass_floor, base=True)
    if e.primary.before.value is None:
        return VerdictName.NO_EVIDENCE, "The bias before the treatment is undefined, so it has no change."
    return None


def _terms_gone(e: Evidence) -> Ruling | None:
    if e.primary.after.value is None:
        return VerdictName.CAPABILITY_LOSS, reasons.undefined(e.primary, e.mass)
    if e.mass is not None and gone(e.mass, e.margins):
        return VerdictName.CAPABILITY_LOSS, reasons.gone(e.mass)
    return None


def _over_corrected(e: Evidence) -> Ruling | None:
    if _broken(e):
        return None
    for check, control in e.flips:
        if check.kept is False and _beyond_damage(e, control):
            return VerdictName.OVER_CORRECTED, reasons.flipped(check)
    return None


def _beyond_damage(e: Evidence, control: ControlResult | None) -> bool:
    if control is None:
        return e.capability.kept is not False
    return bool(control.families) and all(parts.passes(control.p_value, f.p_limit) for f in control.families)


def _worse(e: Evidence) -> Ruling | None:
    low, value = e.own_change.low, e.own_change.value
    if low is None or value is None or low <= 0 or value < e.delta or _broken(e):
        return None
    grew = f"The bias grew: {reasons.effect(e.primary)}."
    if e.families:
        beyond = all(parts.passes(family.p_worse, family.p_limit) for family in e.families)
        said = f" Models changed as much without a signal ({reasons.families(e.families)}) have less of it."
        return (VerdictName.WORSE, grew + said) if beyond else None
    return (VerdictName.WORSE, grew) if e.capability.kept is True else None


def _no_bias_before(e: Evidence) -> Ruling | None:
    before = e.distance.estimate(e.primary.before)
    low = before.value if before.low is None else before.low
    if low is not None and low > e.floor:
        return None
    return VerdictName.NO_EVIDENCE, reasons.too_little(e.primary, e.distance, e.floor)


def _specific(e: Evidence) -> Ruling | None:
    if e.control is None or e.may_have_scattered or not _shown(e):
        return None
    controls = reasons.families(parts.countable(e.control.families))
    fell = f"The bias fell beyond {controls}: {reasons.effect(e.primary)}."
    if e.clean:
        kept = f"{fell} Capability and every guard are kept."
        return VerdictName.MITIGATED, f"{kept}{reasons.partly(e.control)}"
    return (
        VerdictName.AT_A_COST if any(state is False for state in e.costs) else VerdictName.COST_UNKNOWN,
        f"{fell} But {reasons.costs(e.capability, e.guards)}.",
    )


def _shown(e: Evidence) -> bool:
    """Whether the fall is certain, at least delta, and so much of it as is needed beyond every family of a
    control that can carry it.

    Where capability is lost, one family at least must have lost as much: a control of equal size that keeps
    it says nothing of what the loss does by itself.
    """
    control, change = e.control, e.change
    if change.high is None or change.value is None or change.high >= 0 or -change.value < e.delta:
        return False
    if control is None or control.reduced:
        return False
    families = parts.countable(control.families)
    if e.capability.kept is False and all(family.basis == "size" for family in families):
        return False
    return all(parts.beyond_in(control, family) for family in families)


def _broken(e: Evidence) -> tuple[Check, ...]:
    """The capability checks that certainly failed by a large amount."""
    return tuple(
        check
        for check in e.capability.checks
        if check.loss.low is not None and check.loss.low > e.margins.broken * check.margin
    )


def _lost(e: Evidence) -> bool:
    """Whether a check that says which way shows a loss of capability."""
    return any(check.kept is False and says_which_way(check) for check in e.capability.checks)


def _damaged(e: Evidence) -> Ruling | None:
    if not _lost(e) or not (e.families or e.uncontrolled):
        return None
    if not e.families:
        return VerdictName.CAPABILITY_LOSS, (
            "Capability was lost, and without control models no other effect of the treatment can be shown: "
            f"{reasons.effect(e.primary)}."
        )
    counted = parts.countable(e.families) or e.families
    unmatched = [family.family for family in counted if not family.matched]
    if unmatched:
        return VerdictName.CAPABILITY_LOSS, (
            f"Capability was lost, and {reasons.listed(unmatched)} could not be matched to the treated "
            "model: there is no evidence of any other effect of the treatment."
        )
    return VerdictName.CAPABILITY_LOSS, (
        "Capability was lost, and no effect beyond that of every control was shown: "
        f"{reasons.effect(e.primary)}."
    )


def _moved_only(e: Evidence) -> Ruling | None:
    fell = e.change.high is not None and e.change.high < 0
    if not fell or e.scatter is None or not e.may_have_scattered:
        return None
    if not e.scattered and not _shown(e):
        return None  # that it fell beyond the controls was not shown, which weighs more than what is open
    return VerdictName.NO_EVIDENCE, reasons.scattered(e.primary, e.scatter)


def _nothing_shown(e: Evidence) -> Ruling:
    return VerdictName.NO_EVIDENCE, reasons.no_evidence(
        e.primary, e.control, change=e.change, delta=e.delta, uncontrolled=e.uncontrolled
    )


RULES: Sequence[Callable[[Evidence], Ruling | None]] = (
    _hardly_used,
    _terms_gone,
    _over_corrected,
    _worse,
    _no_bias_before,
    _specific,
    _damaged,
    _moved_only,
    _nothing_shown,
)
