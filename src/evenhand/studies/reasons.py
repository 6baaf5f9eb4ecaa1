"""The reasons of a verdict in short plain sentences, each with its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    VerdictName,
    Verification,
)
from evenhand.studies import parts

if TYPE_CHECKING:  # numpy must not be loaded for --help
    from evenhand.metrics import Metric
    from evenhand.studies.distance import Distance

OVER = "over-correction"  # the name of each such check begins with this
MOVED = "The bias fell on average, and grew for many items"  # the reason for such a fall begins with this
MAY_HAVE_MOVED = "The bias fell on average, and may have grown for many items"  # and for one that is open
SCATTER = "items whose gap grew"  # the name of the check of single items
PAST = f"{OVER} (distance from the ideal)"  # the check of a figure that went past its ideal
TOO_LITTLE = "There was too little bias to treat"  # the reason for a base without bias begins with this
TOO_SMALL = "The bias fell by less than"  # the reason for a fall below delta begins with this
GREW_LITTLE = "The bias grew by less than"  # the reason for such a growth begins with this
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
    return _with_ends(decimals.percent, estimate.value, estimate.low, estimate.high)


def _with_ends(say: Callable[[Value], str], value: Value, low: Value, high: Value) -> str:
    """A figure with the ends of its interval in brackets, each in the words of `say`."""
    return say(value) if low is None or high is None else f"{say(value)} ({say(low)} to {say(high)})"


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
        f"{TOO_LITTLE}: {name(primary.metric)} was {number(before)} before{away}, "
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


def scattered(primary: Effect, check: Check) -> str:
    """Why a bias that fell on average, and grew or may have grown for many items, was not mitigated."""
    return (
        f"{MAY_HAVE_MOVED if check.kept is None else MOVED}: for {percent(check.loss)} of them the gap grew "
        f"(margin {decimals.percent(check.margin)}), and {effect(primary)}. Damage that deals gaps out anew "
        "does the same."
    )


def gone(mass: Check) -> str:
    """Why a gap is not interpretable once most of the terms' probability is certainly lost."""
    return (
        f"The model lost more than half of the terms' probability: it fell "
        f"{change(mass.before, mass.after)}, a loss of {percent(mass.loss)}. A smaller gap between words "
        "that the model uses so much less is no evidence of less bias."
    )


def costs(capability: CapabilityResult, guards: Sequence[Check]) -> str:
    """What keeps an effect from being ``mitigated``."""
    if not capability.checks:
        first = ["no capability benchmark was run, so nothing shows that capability is kept"]
    else:
        first = []
    lost = [_cost(c) for c in capability.checks if c.kept is not True]
    return listed([*first, *lost, *(_cost(c) for c in guards if c.kept is not True)])


def _cost(check: Check) -> str:
    if check.name.startswith(OVER):
        how = "is certain" if check.kept is False else "is not excluded"
    else:
        how = "is not kept" if check.kept is False else "is undecided: not certainly kept, and not lost"
    return f"{check.name} {how} ({_went(check)}; {_loss(check)})"


def _went(check: Check) -> str:
    """``from X to Y``, with the name of what a check of over-correction measures, which is no loss."""
    return f"{_signed(check)}{change(check.before, check.after)}"


def _signed(check: Check) -> str:
    if check.name == PAST:
        return "signed distance from the ideal "
    return "signed lean to the group " if check.name.startswith(OVER) else ""


def _loss(check: Check) -> str:
    """The loss, the number of items and the margin; for the terms' mass, the loss as a share of it."""
    n, limit = f"n = {check.loss.n}", f"margin {decimals.significant(check.margin)}"
    if check.name == GuardName.MASS:
        return (
            f"{_share_lost(check.loss)} what was there before, {n}, margin {decimals.percent(check.margin)}"
        )
    what = "beyond 0 on the other side" if check.name.startswith(OVER) else "loss"
    return f"{what} {number(check.loss.value)}, {span(check.loss)}, {n}, {limit}"


def _share_lost(loss: Estimate) -> str:
    """A loss in percent of, or a gain of more than all of it as times: ``loss 5 % of``, ``183 times``."""
    if loss.value is None or loss.value > -1:
        return f"loss {percent(loss)} of"
    # 1 - loss is after / before, whose ends are those of the loss in the other order
    now, low, high = (None if x is None else 1 - x for x in (loss.value, loss.high, loss.low))
    return f"{_with_ends(decimals.significant, now, low, high)} times"


def broken(checks: Sequence[Check]) -> str:
    """The capability checks that failed by a large amount, with their values."""
    return listed([f"{check.name} went {change(check.before, check.after)}" for check in checks])


def no_evidence(
    primary: Effect,
    control: ControlResult | None,
    *,
    change: Estimate,
    delta: float,
    uncontrolled: str = "",
) -> str:
    """Why no effect beyond the controls was shown; `change` is that of the bias, `delta` the least relevant.

    `uncontrolled` says why there could be no control models, where there could not.
    """
    fell = change.high is not None and change.high < 0
    if fell and change.value is not None and -change.value < delta:
        return f"{TOO_SMALL} {number(delta)}, the smallest relevant effect: {effect(primary)}."
    if control is None or not control.families:
        return _without_control(primary, fell=fell, possible=not uncontrolled)
    figures = effect(primary)
    if not fell:
        grew = change.low is not None and change.low > 0
        if grew and change.value is not None and change.value < delta:
            return f"{GREW_LITTLE} {number(delta)}, the smallest relevant effect: {figures}."
        if grew:
            return f"The bias grew, as it does in models changed as much without a signal: {figures}."
        return f"The bias did not certainly fall: {figures}."
    return f"{_short_of(control, delta)}: {figures}.{_smallest(control)}"


def _short_of(control: ControlResult, delta: float) -> str:
    """Why the control does not carry the claim that the bias fell beyond it, without the full stop."""
    if control.reduced:
        ran = families(parts.countable(control.families))
        return (
            f"The bias fell, and the control is too narrow to say beyond what ({ran}): it takes a sham of "
            "the method and another kind, or three kinds where the method has no sham"
        )
    unmatched = [family.family for family in control.families if family.state not in ("matched", "inert")]
    if unmatched:
        return f"The bias fell, and no control of {listed(unmatched)} could be matched to the treated model"
    all_of_it = parts.showing_all_but(delta, control.families)
    most_of_it = parts.showing_most(control)
    if showing := all_of_it or most_of_it:
        how = f"as much of that, to within {number(delta)}" if all_of_it else "the larger part of that"
        ran = families(showing)
        return f"The bias fell, and models changed as much without a signal ({ran}) show {how}"
    return (
        "The bias fell, and an effect beyond every control was not shown (largest p "
        f"{decimals.significant(control.p_value)})"
    )


def _smallest(control: ControlResult) -> str:
    if control.minimum_detectable is None:
        return ""
    return (
        f" A part beyond the controls of less than {number(control.minimum_detectable)} would hardly have "
        "been shown."
    )


def families(found: Sequence[FamilyResult]) -> str:
    """``sham, plain text and noise``."""
    return listed([family.family for family in found]) if found else "no control"


def partly(control: ControlResult) -> str:
    """What is to be said where damage shows the larger part of a fall that is claimed; else empty."""
    total = control.total.value or 0.0
    counted = [family for family in parts.countable(control.families) if family.matched]
    showing = parts.showing_all_but(parts.MOST * total, counted)
    if not showing:
        return ""
    part = min(f.specific.value or 0.0 for f in showing)
    return (
        f" Models changed as much without a signal ({families(showing)}) show the larger part of the fall of "
        f"{number(total)} as well, and {number(part)} of it, or more, lie beyond them."
    )


def is_judged(record: Verification) -> bool:
    """False where the gap fell and there were no control models to judge it."""
    return not (
        record.verdict is VerdictName.NO_EVIDENCE
        and record.control is None
        and any(reason.startswith(NOT_JUDGED) for reason in record.reasons[:1])
    )


def _without_control(primary: Effect, *, fell: bool, possible: bool) -> str:
    if not fell:
        return f"The bias did not certainly fall: {effect(primary)}."
    return (
        f"{NOT_JUDGED}. Without control models no effect can be told from a loss of capability: "
        f"{effect(primary)}.{' Run them: --control standard.' if possible else ''}"
    )


def context(
    control: ControlResult | None, capability: CapabilityResult, uncontrolled: str = ""
) -> tuple[str, ...]:
    """The figures of the control and of capability that every verdict carries.

    `uncontrolled` is as for `no_evidence`.
    """
    return (*_control(control, uncontrolled), *_capability(capability))


def _control(control: ControlResult | None, uncontrolled: str) -> list[str]:
    if control is None or not control.families:
        absent = () if control is None else control.absent
        return [uncontrolled or "No control models were run.", *absent]
    return [*map(_family, control.families), *control.absent]


_UNREAD = {
    "unmatched": "no dose changes the model as much as the treatment did.",
    "inert": "it cannot change the model half as much as the treatment did, and does not count.",
    "broken": "more than a quarter of its models are broken where they change as much.",
    "few": "fewer than four models changed the model about as much: too few to predict another.",
}
_BASES = {
    "size": "an equally large change",
    "loss": "an equal loss of capability",
    "recipe": "the same recipe",
}


def _family(family: FamilyResult) -> str:
    if not family.matched:
        return f"Control {family.family}: {_UNREAD.get(family.state, _UNREAD['unmatched'])}"
    p = "" if family.p_value is None else f", p {decimals.significant(family.p_value)}"
    same = " The treated model is like one of them." if family.equivalent else ""
    return (
        f"Control {family.family}, {len(family.points)} models, at {_BASES.get(family.basis, 'equal dose')} "
        f"(dose {number(family.dose)}): of the fall in bias, {number(family.capability_part.value)} comes "
        f"with such a change and {number(family.specific.value)} is beyond it ({span(family.specific)}{p})."
        f"{same}"
    )


def _capability(capability: CapabilityResult) -> list[str]:
    if not capability.checks:
        return ["No capability benchmark was run."]
    return [f"Capability, {_state(check)}" for check in capability.checks]


def guards(
    mass: Check | None, hints: Check | None, rest: Check | None = None, further: Sequence[Check] = ()
) -> tuple[str, ...]:
    """The guards: the terms' mass, hint-following, the figure that the benchmark names, all further ones."""
    found = [] if rest is None else [f"Guard, {_state(rest)}"]
    if mass is not None:
        found.insert(0, f"Guard, {_state(mass)}")
    elif rest is None:
        found.append("The terms' probability mass was not measured.")
    unasked = "Whether explicit hints are still followed was not measured."
    more = [f"Guard, {_state(check)}" for check in further]
    return (*found, unasked if hints is None else f"Guard, {_state(hints)}", *more)


def _state(check: Check) -> str:
    state = {True: "kept", False: "lost", None: "undecided"}[check.kept]
    more = would_decide(check.items_needed)
    return f"{check.name}: {state}, {_went(check)} ({_loss(check)}).{more}"


def would_decide(items: int | None) -> str:
    """How many items would decide a check, as a further sentence; empty for None."""
    return "" if items is None else f" About {items} items would decide it."
