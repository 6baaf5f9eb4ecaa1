"""The reasons of a verdict in short plain sentences, each with its figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evenhand import decimals, registry
from evenhand.records import (
    CapabilityResult,
    Check,
    ControlResult,
    Effect,
    Estimate,
    FamilyResult,
    GuardName,
    Value,
)

if TYPE_CHECKING:  # numpy must not be loaded for --help
    from evenhand.metrics import Metric
    from evenhand.studies.distance import Distance

OVER = "over-correction"  # the name of each such check begins with this
PAST = f"{OVER} (distance from the ideal)"  # the check of a figure that went past its ideal
HALF = " (the reporting half; the other half matches the control models)"
NOT_JUDGED = "Not judged"  # the reason for a verdict without control models begins with this


def name(metric: str) -> str:
    """A metric's name in running text."""
    found: Metric | None = registry.find("metric", metric)
    return metric.replace("_", " ") if found is None else found.label


def number(value: Value) -> str:
    """Three decimals; ``undefined`` for None."""
    return decimals.fixed(value)


def span(estimate: Estimate) -> str:
    """The interval with its level, or that there is none."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    few = " of few clusters" if estimate.few_clusters else ""
    ends = f"{number(estimate.low)} to {number(estimate.high)}"
    return f"{decimals.percent(estimate.level)} interval{few} {ends}"


def change(before: Estimate, after: Estimate) -> str:
    """``from X to Y``."""
    return f"from {number(before.value)} to {number(after.value)}"


def percent(estimate: Estimate) -> str:
    """A share with its interval, in percent."""
    if estimate.low is None or estimate.high is None:
        return decimals.percent(estimate.value)
    ends = f"{decimals.percent(estimate.low)} to {decimals.percent(estimate.high)}"
    return f"{decimals.percent(estimate.value)} ({ends})"


def effect(found: Effect) -> str:
    """One metric before and after, with the paired interval of its change."""
    return (
        f"{name(found.metric)} went {change(found.before, found.after)} "
        f"(change {number(found.change.value)}, {span(found.change)}, n = {found.change.n})"
    )


def listed(names: Iterable[str]) -> str:
    """``a, b and c``."""
    *most, last = list(names)
    return f"{', '.join(most)} and {last}" if most else last


def undefined(primary: Effect, mass: Check | None) -> str:
    """Why a bias that can no longer be measured has not been mitigated."""
    if mass is None:
        why = f"{name(primary.metric)} is undefined after the treatment"
    else:
        why = "The model no longer uses the terms: their probability is too small for the bias to be defined"
    return f"{why}, so the absence of a gap is no evidence of less bias."


def too_little(primary: Effect, distance: Distance, floor: float) -> str:
    """Why nothing could be mitigated."""
    before = primary.before.value
    away = (
        "" if distance.plain else f", {number(distance.value(before))} from its ideal of {distance.ideal:g}"
    )
    return (
        f"There was too little bias to treat: {name(primary.metric)} was {number(before)} before{away}, "
        f"below the floor of {floor:g}."
    )


def flipped(check: Check) -> str:
    """Why a treatment is over-corrected."""
    if check.name == PAST:
        return (
            f"The bias changed its direction ({check.name}): the figure was {number(check.before.value)} "
            f"from its ideal before and is now {number(check.loss.value)} beyond it on the other side "
            f"({span(check.loss)}), beyond the margin of {check.margin:g}."
        )
    return (
        f"The bias changed its direction ({check.name}): items that leaned to the group by "
        f"{number(check.before.value)} before now lean away from it by {number(check.loss.value)} "
        f"({span(check.loss)}), beyond the margin of {check.margin:g}."
    )


def gone(mass: Check) -> str:
    """Why a gap is not interpretable once most of the terms' probability is certainly lost."""
    return (
        f"The model lost more than half of the terms' probability: it fell "
        f"{change(mass.before, mass.after)}, a loss of {percent(mass.loss)}. A smaller gap between words "
        "that the model uses so much less is no evidence of less bias."
    )


def costs(capability: CapabilityResult, guards: Sequence[Check], *, halved: bool) -> str:
    """What keeps a specific effect from being ``mitigated``; `halved` is as for `context`."""
    if not capability.checks:
        first = ["no capability benchmark was run, so nothing shows that capability is kept"]
    else:
        first = []
    lost = [_cost(c, halved=halved) for c in capability.checks if c.kept is not True]
    return listed([*first, *lost, *(_cost(c) for c in guards if c.kept is not True)])


def _cost(check: Check, *, halved: bool = False) -> str:
    if check.name.startswith(OVER):
        how = "is certain" if check.kept is False else "is not excluded"
    else:
        how = "is not kept" if check.kept is False else "is undecided: not certainly kept, and not lost"
    return f"{check.name} {how} ({_went(check)}; {_loss(check, halved=halved)})"


def _went(check: Check) -> str:
    """``from X to Y``, with the name of what a check of over-correction measures, which is no loss."""
    return f"{_signed(check)}{change(check.before, check.after)}"


def _signed(check: Check) -> str:
    if check.name == PAST:
        return "signed distance from the ideal "
    return "signed lean to the group " if check.name.startswith(OVER) else ""


def _loss(check: Check, *, halved: bool = False) -> str:
    """The loss, the number of items and the margin; for the terms' mass, the loss as a share of it."""
    n, limit = f"n = {check.loss.n}{HALF if halved else ''}", f"margin {check.margin:g}"
    if check.name == GuardName.MASS:
        lost = f"loss {percent(check.loss)} of what was there before"
        return f"{lost}, {n}, margin {decimals.percent(check.margin)}"
    what = "beyond 0 on the other side" if check.name.startswith(OVER) else "loss"
    return f"{what} {number(check.loss.value)}, {span(check.loss)}, {n}, {limit}"


def broken(checks: Sequence[Check]) -> str:
    """The capability checks that failed by a large amount, with their values."""
    return listed([f"{check.name} went {change(check.before, check.after)}" for check in checks])


def no_evidence(primary: Effect, control: ControlResult | None, *, fell: bool, uncontrolled: str = "") -> str:
    """Why no specific effect was shown; `fell` says whether the bias certainly fell.

    `uncontrolled` says why there could be no control models, where there could not.
    """
    if control is None or not control.families:
        return _without_control(primary, fell=fell, possible=not uncontrolled)
    unmatched = [f.family for f in control.families if not f.matched]
    if unmatched:
        return (
            f"The control {listed(unmatched)} could not be matched to the treated model's capability, so no "
            f"specific effect can be claimed: {effect(primary)}."
        )
    if control.p_value is None:
        return (
            "The control ran too few models to estimate how much they differ by chance, so no specific "
            f"effect can be claimed: {effect(primary)}. Run more doses and seeds."
        )
    shown = f"{effect(primary)}, largest p {decimals.significant(control.p_value)}"
    if any(family.equivalent for family in control.families):
        limit = number(control.delta)
        return f"The effect beyond the control models' is negligible (within {limit} of 0): {shown}."
    if not fell:
        return f"The bias did not certainly fall: {shown}."
    return (
        f"No effect beyond that of the control models was shown: {shown}; a specific part below "
        f"{number(control.minimum_detectable)} would hardly have been detected."
    )


def _without_control(primary: Effect, *, fell: bool, possible: bool) -> str:
    if not fell:
        return f"The bias did not certainly fall: {effect(primary)}."
    return (
        f"{NOT_JUDGED}. Without control models no effect can be told from a loss of capability: "
        f"{effect(primary)}.{' Run the capability-matched control: --control full.' if possible else ''}"
    )


def context(
    control: ControlResult | None, capability: CapabilityResult, uncontrolled: str = ""
) -> tuple[str, ...]:
    """The figures of the control and of capability that every verdict carries.

    Beside a control, capability is reported on one half of its items (`halved`), without one on all.
    `uncontrolled` is as for `no_evidence`.
    """
    return (*_control(control, uncontrolled), *_capability(capability, halved=halved(control)))


def halved(control: ControlResult | None) -> bool:
    """Whether the capability items are split: one half matches the control models, the other is reported."""
    return control is not None and bool(control.families)


def _control(control: ControlResult | None, uncontrolled: str) -> list[str]:
    if control is None or not control.families:
        return [uncontrolled or "The capability-matched control was not run."]
    sentences = [_family(family) for family in control.families]
    if control.reduced:
        sentences.append("The control was reduced: fewer than 8 doses or 5 seeds for each family.")
    return sentences


def _family(family: FamilyResult) -> str:
    if not family.matched:
        return f"Control {family.family}: no dose reaches the treated model's capability."
    p = "" if family.p_value is None else f", p {decimals.significant(family.p_value)}"
    same = " The two are equivalent." if family.equivalent else ""
    return (
        f"Control {family.family} at the same capability (dose {number(family.dose)}): of the fall in bias, "
        f"{number(family.capability_part.value)} is explained by the lost capability and "
        f"{number(family.specific.value)} is specific ({span(family.specific)}{p}).{same}"
    )


def _capability(capability: CapabilityResult, *, halved: bool) -> list[str]:
    if not capability.checks:
        return ["No capability benchmark was run."]
    return [f"Capability, {_state(check, halved=halved)}" for check in capability.checks]


def guards(mass: Check | None, hints: Check | None, rest: Check | None = None) -> tuple[str, ...]:
    """The guards: the terms' mass, hint-following, and the further figure that the benchmark names."""
    found = [] if rest is None else [f"Guard, {_state(rest)}"]
    if mass is not None:
        found.insert(0, f"Guard, {_state(mass)}")
    elif rest is None:
        found.append("The terms' probability mass was not measured.")
    unasked = "Whether explicit hints are still followed was not measured."
    return (*found, unasked if hints is None else f"Guard, {_state(hints)}")


def _state(check: Check, *, halved: bool = False) -> str:
    state = {True: "kept", False: "lost", None: "undecided"}[check.kept]
    more = would_decide(check.items_needed)
    return f"{check.name}: {state}, {_went(check)} ({_loss(check, halved=halved)}).{more}"


def would_decide(items: int | None) -> str:
    """How many items would decide a check, as a further sentence; empty for None."""
    return "" if items is None else f" About {items} items would decide it."
