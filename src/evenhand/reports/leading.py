"""The first sentence of a verdict, for somebody who reads no further, and what to do next."""

from __future__ import annotations

import math

from evenhand import decimals, registry
from evenhand.records import TREATED, Check, Effect, VerdictName, Verification
from evenhand.studies import reasons
from evenhand.studies.distance import distance_of

GENTLE = "lftf:loss=mass_preserving"


def sentence(record: Verification) -> str:
    """What happened to the bias and what it cost, in one sentence; the reason of the rule where none did."""
    effect = _effect(record)
    plain = (
        VerdictName.MITIGATED,
        VerdictName.AT_A_COST,
        VerdictName.COST_UNKNOWN,
        VerdictName.CAPABILITY_LOSS,
        VerdictName.WORSE,
    )
    if effect is None or record.verdict not in plain or effect.after.value is None:
        return record.reasons[0] if record.reasons else ""
    lost = [_cost(check) for check in _checks(record) if check.kept is False]
    moved = f"{_name(record, effect)} {_moved(effect)}"
    if record.verdict is VerdictName.MITIGATED:
        return f"{moved}, more than in models changed as much, and nothing that was measured was lost."
    if record.verdict is VerdictName.COST_UNKNOWN:
        names = [check.name for check in _checks(record) if check.kept is None]
        more = f": undecided are {reasons.listed(names[:3])}" if names else ""
        return f"{moved}, and whether it cost anything is not known{more}."
    if record.verdict is VerdictName.CAPABILITY_LOSS:
        why = f": {reasons.listed(lost[:2])}" if lost else ""
        return f"{moved}, and the model lost capability{why}; no effect beyond that was shown."
    return f"{moved}, but {reasons.listed(lost[:2])}." if lost else f"{moved}."


def next_step(record: Verification) -> str:
    """One thing to do, by the verdict and what decided it."""
    verdict = record.verdict
    if verdict is VerdictName.MITIGATED:
        return _keep(record)
    if verdict is VerdictName.COST_UNKNOWN:
        return _measure_more(record)
    if verdict is VerdictName.NO_EVIDENCE:
        return _evidence(record)
    if verdict is VerdictName.NOT_COMPARABLE:
        return "Measure both models under the same conditions, as the reason says."
    return _otherwise(record)


def _effect(record: Verification) -> Effect | None:
    primary = record.primary or next((m.primary for m in record.before if m.primary), None)
    holders = [m.benchmark for m in record.before if m.primary == primary]
    found = [e for e in record.effects if e.metric == primary]
    return next((e for e in found if e.benchmark in holders), next(iter(found), None))


def _checks(record: Verification) -> tuple[Check, ...]:
    return (*record.capability.checks, *record.guards)


def _name(record: Verification, effect: Effect) -> str:
    """``The he/she gap`` where the benchmark's groups have a word each, else the metric."""
    from evenhand import lexicons

    if effect.metric.startswith("afgb") and not effect.metric.endswith("signed"):
        made = registry.parse(effect.benchmark)
        try:
            about = lexicons.attribute(str(made.options.get("attribute", "gender")))
        except Exception:  # a file of the user's that is no longer there
            return f"The gap ({reasons.name(effect.metric)})"
        words = "/".join(group.terms[0].strip() for group in about.groups)
        return f"The {words} gap" if len(about.groups) <= 3 else f"The gap by {about.title}"
    return reasons.name(effect.metric)


def _moved(effect: Effect) -> str:
    change = distance_of(effect).change(effect.change)
    ends = f"from {decimals.number(effect.before.value)} to {decimals.number(effect.after.value)}"
    if change.high is not None and change.high < 0:
        return f"fell {ends}"
    if change.low is not None and change.low > 0:
        return f"rose {ends}"
    return f"did not certainly change ({ends})"


def _cost(check: Check) -> str:
    """A lost check in the reader's words."""
    loss = check.loss.value
    if check.name.startswith("log_perplexity") and loss is not None:
        return f"perplexity rose by {decimals.percent(math.expm1(loss))}"
    if check.name.startswith("accuracy") and loss is not None:
        return f"{check.name} fell by {decimals.number(100 * loss)} points"
    if check.name == "mass" and loss is not None:
        how = "lost" if loss > 0 else "gained"
        return f"the groups' words {how} {decimals.percent(abs(loss))} of their probability"
    return f"{check.name} was not kept ({decimals.number(loss)}, margin {check.margin:g})"


def _keep(record: Verification) -> str:
    if record.treatment.startswith(TREATED):
        return "Hold it in your pipeline: evenhand gate RUN 'verdict==mitigated'."
    return (
        f"Save it: evenhand mitigate {record.model.uri} --with {record.treatment} --out treated; and hold "
        "it: evenhand gate RUN 'verdict==mitigated'."
    )


def _measure_more(record: Verification) -> str:
    open_ = [check for check in _checks(record) if check.kept is None]
    sized = [check for check in open_ if check.items_needed]
    if sized:
        most = max(sized, key=lambda check: check.items_needed or 0)
        return f"Measure {most.name} on about {most.items_needed} items; it has {most.loss.n}."
    names = reasons.listed([check.name for check in open_[:2]]) if open_ else "capability"
    return f"Measure what is undecided on more items, or at all: {names}."


def _evidence(record: Verification) -> str:
    control = record.control
    if record.reasons and record.reasons[0].startswith(reasons.NOT_JUDGED) and not record.uncontrolled:
        return f"Make control models: evenhand verify {record.model.uri} ... --control standard."
    if control is not None and control.reduced:
        return "Make control models of more kinds: --control full."
    if record.uncontrolled:
        return "Judge two models that give their weights: control models need them."
    if control is None:
        return "Measure a bias that this model has, or take a stronger treatment."
    return "Take a stronger treatment, or measure more items and another benchmark."


def _otherwise(record: Verification) -> str:
    """After a cost, a loss, over-correction or growth: another treatment."""
    name, _, options = record.treatment.partition(":")
    if record.treatment.startswith(TREATED):
        lost = [check.name for check in _checks(record) if check.kept is False]
        less = f"Treat again with less: lost was {reasons.listed(lost[:3])}." if lost else ""
        return less or "Do not use it as it is."
    if name in ("lftf", "full_finetune") and "mass_preserving" not in options:
        return f"Try --with {GENTLE}."
    if name == "lftf" and record.location is not None and record.location.locator != "ablation":
        return "Try the block that carries the bias: --locator ablation."
    return "Try a weaker form of it (a smaller learning rate, fewer epochs), or another method."
