"""The first sentence of a verdict, for somebody who reads no further."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evenhand import decimals, registry
from evenhand.records import Check, ControlResult, Effect, Estimate, VerdictName, Verification
from evenhand.reports import checked, seeded
from evenhand.studies import fitness, parts, reasons
from evenhand.studies.distance import distance_of

_MOST = 2  # undecided checks that one sentence names


def sentence(record: Verification) -> str:
    """What happened to the bias, what it cost, and what was not shown, in one sentence.

    For a method another stands before it: how many of its treated models got each verdict.
    """
    return f"{seeded.lead(record)}{_sentence(record)}"


def _sentence(record: Verification) -> str:
    effect = about(record)
    if effect is None or record.verdict is VerdictName.NOT_COMPARABLE:
        return _first_reason(record)
    if effect.before.value is None:
        return f"{name(effect)} is undefined before the treatment, so nothing can be said about its change."
    if _hardly_used(record):
        words = f"The model hardly uses the words of {_within(effect)}"
        return f"{words}, so that says little about what it writes."
    if effect.after.value is None:
        return f"{name(effect)} can no longer be measured, which is no evidence of less bias."
    return _SENTENCES[record.verdict](record, effect)


def about(record: Verification) -> Effect | None:
    """The effect that the verdict is about; None where it was not measured."""
    from evenhand.studies.primary import subject  # here: numpy must not be loaded for --help

    wanted = subject(record)
    return next((e for e in record.effects if (e.benchmark, e.metric) == wanted), None)


def checks(record: Verification) -> tuple[Check, ...]:
    """Everything that must not be lost: capability, then the guards."""
    return (*record.capability.checks, *record.guards)


def name(effect: Effect) -> str:
    """``The he/she gap`` where the benchmark's groups have a word each, else the metric."""
    return metric_name(effect.metric, effect.benchmark)


def metric_name(metric: str, benchmark: str) -> str:
    """As `name`, of a metric on a benchmark."""
    from evenhand import lexicons

    label = reasons.name(metric)
    if not metric.startswith("afgb") or metric.endswith("signed"):
        return f"The {label}" if label[:1].islower() else label
    made = registry.parse(benchmark)
    try:
        groups = lexicons.attribute(str(made.options.get("attribute", "gender")))
    except Exception:  # a file of the user's that is no longer there
        return f"The gap ({label})"
    words = "/".join(group.terms[0].strip() for group in groups.groups)
    return f"The {words} gap" if len(groups.groups) <= 3 else f"The gap by {groups.title}"


def moved(effect: Effect) -> str:
    """``The he/she gap fell from 0.433 to 0.206``; for a figure that is not best at 0, its ideal too."""
    away = distance_of(effect)
    change = away.change(effect.change)
    ends = f"from {decimals.number(effect.before.value)} to {decimals.number(effect.after.value)}"
    if not _certain(change):
        return f"{name(effect)} did not certainly change ({ends})"
    nearer = change.high is not None and change.high < 0
    if away.plain and not away.inside:
        return f"{name(effect)} {'fell' if nearer else 'rose'} {ends}"
    past = away.inside and (away.value(effect.after.value) or 0.0) < 0
    way = "past" if past else "closer to" if nearer else "further from"
    return f"{name(effect)} went {ends}, {way} its ideal of {away.ideal:g}"


def controls(record: Verification) -> str:
    """``sham, plain text and noise``: the families that count; empty where none ran."""
    counted = parts.countable(record.control.families if record.control else ())
    return reasons.families(counted) if counted else ""


def fell(effect: Effect) -> bool:
    """Whether the bias certainly fell."""
    high = distance_of(effect).change(effect.change).high
    return high is not None and high < 0


def certainly_moved(effect: Effect) -> bool:
    """Whether the distance from the ideal certainly changed, either way."""
    return _certain(distance_of(effect).change(effect.change))


def too_small(record: Verification) -> bool:
    """Whether the bias fell by less than is relevant: no control model could make more of it."""
    return bool(record.reasons) and record.reasons[0].startswith(reasons.TOO_SMALL)


def only_moved(record: Verification) -> Check | None:
    """The check of single items where their gaps grew, or may have, while the mean fell; None elsewhere."""
    if not (record.reasons and record.reasons[0].startswith((reasons.MOVED, reasons.MAY_HAVE_MOVED))):
        return None
    return next((check for check in record.guards if check.name == reasons.SCATTER), None)


def _certain(change: Estimate) -> bool:
    low, high = change.low, change.high
    return (high is not None and high < 0) or (low is not None and low > 0)


def _within(effect: Effect) -> str:
    """A figure's name inside a sentence."""
    text = name(effect)
    return f"the {text.removeprefix('The ')}" if text.startswith("The ") else text


def _first_reason(record: Verification) -> str:
    return record.reasons[0].replace("compared. ", "compared: ") if record.reasons else ""


def _hardly_used(record: Verification) -> bool:
    mass = next((guard for guard in record.guards if guard.name == "mass"), None)
    return (
        record.verdict is VerdictName.NO_EVIDENCE
        and mass is not None
        and fitness.hardly_used(mass.before.value)
    )


def _lost(record: Verification) -> str:
    """What is certainly lost, in words: the first, then how many more; empty where nothing is."""
    found = [check for check in checks(record) if check.kept is False]
    if not found:
        return ""
    said, more = checked.said(found[0], checks(record)), len(found) - 1
    return f"{said} ({more} more {'check is' if more == 1 else 'checks are'} lost)" if more else said


def _beyond(record: Verification) -> str:
    ran = controls(record)
    return f", more than in models changed as much without a signal ({ran})" if ran else ""


def _mitigated(record: Verification, effect: Effect) -> str:
    return f"{moved(effect)}{_beyond(record)}, and everything else that was measured was kept."


def _at_a_cost(record: Verification, effect: Effect) -> str:
    return f"{moved(effect)}, but {_lost(record) or 'something else was lost'}."


def _cost_unknown(record: Verification, effect: Effect) -> str:
    if not record.capability.checks:
        return f"{moved(effect)}{_beyond(record)}, but what it cost is not known: no capability was measured."
    names = [checked.title(check) for check in checks(record) if check.kept is None]
    rest = [f"{len(names) - _MOST} more"] if len(names) > _MOST else []
    more = f": undecided are {reasons.listed([*names[:_MOST], *rest])}" if names else ""
    return f"{moved(effect)}{_beyond(record)}, but what it cost is not known{more}."


def _capability_loss(record: Verification, effect: Effect) -> str:
    lost = _lost(record)
    if not fell(effect):
        return f"{moved(effect)}, and {lost or 'capability was lost'}."
    cost = f"but the model lost capability{f': {lost}' if lost else ''}"
    if any(check.name == "mass" and check.kept is False for check in record.guards):
        cost = f"but {lost}"
    if not controls(record):
        return f"{moved(effect)}, {cost}; without control models this is no evidence of less bias."
    return f"{moved(effect)}, {cost}; an effect beyond such a loss was not shown."


def _over_corrected(record: Verification, effect: Effect) -> str:
    turned = [check for check in record.guards if check.name.startswith(reasons.OVER) and check.kept is False]
    leaning = [check for check in turned if check.name != reasons.PAST]
    if not leaning:
        return f"{moved(effect)}: the bias was not reduced but turned to the other side."
    first = leaning[0]
    group = first.name.removeprefix(f"{reasons.OVER} (").removesuffix(")")
    by, now = decimals.number(first.before.value), decimals.number(first.loss.value)
    return (
        f"The bias was not reduced but turned: items that leaned to {group} by {by} now lean away from it "
        f"by {now}."
    )


def _worse(record: Verification, effect: Effect) -> str:
    return f"{moved(effect)}{_beyond(record)}: the treatment made the bias larger."


def _no_evidence(record: Verification, effect: Effect) -> str:
    if record.reasons and record.reasons[0].startswith(reasons.TOO_LITTLE):
        was = decimals.number(effect.before.value)
        return f"{name(effect)} was {was} before: there was too little bias to treat."
    if not _certain(distance_of(effect).change(effect.change)):
        lost = _lost(record) if record.capability.kept is False else ""
        return f"{moved(effect)}, and {lost}." if lost else f"{moved(effect)}."
    return f"{moved(effect)}, but {_not_shown(record, effect)}."


def _not_shown(record: Verification, effect: Effect) -> str:
    """Why a certain change is no evidence."""
    control, grew = record.control, only_moved(record)
    if grew is not None:
        share, many = decimals.percent(grew.loss.value), decimals.percent(grew.margin)
        open_ = "" if grew.kept is False else f", which may be more than {many} of all"
        return f"it grew for {share} of the items{open_}, so that a removal is not shown"
    if too_small(record) and control is None:
        return "by less than the smallest relevant effect"
    if control is None or not control.families:
        made = "could not be made" if record.uncontrolled else "were not made"
        return f"control models {made}, so it cannot be told from damage"
    if record.reasons and record.reasons[0].startswith(reasons.GREW_LITTLE):
        return "by less than the smallest relevant effect"
    if not fell(effect):
        return f"models changed as much without a signal show that as well ({controls(record)})"
    return _within_controls(control, controls(record))


def _within_controls(control: ControlResult, ran: str) -> str:
    """Why a certain fall is no evidence beside the control models `ran`."""
    total = control.total
    counted = parts.countable(control.families)
    unread = [family.family for family in counted if not family.matched]
    same = parts.showing_all_but(control.delta, counted)
    most = parts.showing_most(control)
    if total.low is not None and total.low <= 0:
        return "not certainly at the base's temperature"
    if total.value is not None and total.value < control.delta:
        return f"by less than {decimals.number(control.delta)}, the smallest relevant effect"
    if control.reduced:
        return f"the control models were of too few kinds ({ran or 'none that counts'})"
    if unread:
        return f"no control of {reasons.listed(unread)} could be matched to that change"
    if most:
        how = "show that as well" if same else "show most of that"
        return f"models changed as much without a signal ({reasons.families(same or most)}) {how}"
    return f"a fall beyond every control ({ran}) was not shown"


_SENTENCES: Mapping[VerdictName, Callable[[Verification, Effect], str]] = {
    VerdictName.MITIGATED: _mitigated,
    VerdictName.AT_A_COST: _at_a_cost,
    VerdictName.COST_UNKNOWN: _cost_unknown,
    VerdictName.CAPABILITY_LOSS: _capability_loss,
    VerdictName.OVER_CORRECTED: _over_corrected,
    VerdictName.WORSE: _worse,
    VerdictName.NO_EVIDENCE: _no_evidence,
}
