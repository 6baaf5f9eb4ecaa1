"""What to do after a verdict: one next step, and what would settle a question that was left open."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from evenhand import decimals, registry
from evenhand.records import TREATED, Attribution, Check, ControlResult, VerdictName, Verification
from evenhand.reports import checked, leading
from evenhand.studies import parts, reasons
from evenhand.training.stacking import split


def next_step(record: Verification) -> str:
    """One thing to do, by the verdict and what decided it."""
    return _STEPS[record.verdict](record)


def settling(record: Verification) -> tuple[str, ...]:
    """What would settle a question that this run left open, one sentence each; empty where none is open."""
    if record.verdict is VerdictName.COST_UNKNOWN:
        none = () if record.capability.checks else (_more_items(record),)
        return (*none, *_unmeasured(record), *_undecided(record))
    if record.verdict in (VerdictName.NO_EVIDENCE, VerdictName.CAPABILITY_LOSS):
        return _further_models(record)
    return ()


def after_location(uri: str, location: Attribution) -> str:
    """What to do after `locate`; a locator that does not look at the attribute asks for one that does."""
    if not location.specific:
        command = shlex.join(("evenhand", "locate", uri, "--with", "ablation"))
        return f"Ask a locator that depends on the attribute: `{command}`."
    if not location.claims:
        return f"Measure the bias first: `{shlex.join(('evenhand', 'measure', uri))}`."
    words = ("evenhand", "verify", uri, "--with", "lftf:loss=mass_preserving", "--locator", location.locator)
    return f"Treat the highest block and have that judged: `{shlex.join(words)}`."


def _given(record: Verification) -> bool:
    """Whether somebody else made the treated model, so that no option of a method can be proposed."""
    return record.treatment.startswith(TREATED)


def _keep(record: Verification) -> str:
    hold = "`evenhand gate RUN verdict==mitigated` (RUN is this run's folder)"
    if _given(record):
        return f"Hold it in your pipeline: {hold}."
    where = () if record.location is None else ("--locator", record.location.locator)
    seed = ("--seed", str(record.seed)) if record.seed else ()
    words = ("evenhand", "mitigate", record.model.uri, "--with", record.treatment, *where, *seed)
    return f"Save it: `{shlex.join([*words, '--out', 'treated'])}`, and hold it in your pipeline: {hold}."


def _gentler(record: Verification) -> str:
    """After a cost, a loss or over-correction: a treatment that changes less."""
    if _given(record):
        lost = [checked.title(check) for check in leading.checks(record) if check.kept is False]
        kept = f", and keep {reasons.listed(lost[:3])}" if lost else ""
        return f"Do not use it as it is: treat the base again with a weaker setting{kept}."
    return _other_options(record) or f"Try {_form(record, 'weaker', 'smaller', 'fewer')}."


def _form(record: Verification, much: str, rate: str, epochs: str) -> str:
    """A weaker or a stronger form of the method if it has one that is known, or another method."""
    other = "another method (`evenhand ls mitigations`)"
    name = registry.parse(record.treatment).name
    found = registry.find("mitigation", name)
    options = () if found is None else registry.options(found)
    ways = [f"`{key}`" for key in ("lr", "epochs") if key in options]
    if not ways:
        return f"{other}, in place of {record.treatment}"
    how = " or ".join(f"{rate if key == '`lr`' else epochs} {key}" for key in ways)
    return f"a {much} form of {record.treatment} ({how}), or {other}"


def _other_options(record: Verification) -> str:
    """Options of LFTF that cost less than the ones that were taken; empty where there are none."""
    spec = registry.parse(record.treatment)
    if len(split(record.treatment)) > 1 or spec.name not in ("lftf", "full_finetune"):
        return ""
    if spec.name == "full_finetune" or spec.options.get("loss", "nll") != "mass_preserving":
        own = spec.options if spec.name == "lftf" else {}
        gentle = registry.ComponentSpec("lftf", {**own, "loss": "mass_preserving"})
        return f"Try `{shlex.join(['--with', str(gentle)])}`."
    if record.location is not None and record.location.locator != "ablation" and "blocks" not in spec.options:
        return "Try the block that carries the bias: `--locator ablation`."
    return ""


def _more_items(record: Verification) -> str:
    if not record.capability.checks:
        return "Measure what it cost: name capability benchmarks with `--capability`, such as `facts`."
    unmeasured, undecided = _unmeasured(record), _undecided(record)
    return (unmeasured or undecided or ("Measure the undecided checks on more items.",))[0]


def _unmeasured(record: Verification) -> tuple[str, ...]:
    found = [check for check in leading.checks(record) if check.loss.value is None]
    return tuple(f"Measure {checked.title(check)}: this run did not." for check in found)


def _undecided(record: Verification) -> tuple[str, ...]:
    """The undecided checks, those first whose number of items is known, the most items first."""
    found = [check for check in leading.checks(record) if check.kept is None and check.loss.value is not None]
    return tuple(map(_more_of, sorted(found, key=lambda check: -(check.items_needed or 0))))


def _more_of(check: Check) -> str:
    what, n = checked.title(check), check.loss.n
    if check.items_needed:
        return f"Measure {what} on about {check.items_needed} items: this run had {n}."
    least = checked.bound(check)
    if least is None:
        return f"Measure {what} on more items: {n} exclude no loss."
    return (
        f"Measure {what} on more items: with {n} a loss of up to {checked.amount(check, least)} is possible, "
        f"and the margin is {checked.amount(check, check.margin)}."
    )


def _further_models(record: Verification) -> tuple[str, ...]:
    """What the control models would need to show, or rule out, an effect."""
    control = record.control
    effect = leading.about(record)
    if control is None or not control.families or effect is None or not leading.fell(effect):
        return ()
    if _too_little(record):
        return ()
    said = []
    counted = parts.countable(control.families)
    showing = parts.showing_most(control)  # more models of these would show it as well
    weak = any(f.matched and f not in showing and not parts.beyond_in(control, f) for f in counted)
    if weak and control.minimum_detectable is not None:
        said.append(
            "More models of each family: an effect beyond them of less than "
            f"{decimals.number(control.minimum_detectable)} would hardly have been shown, and "
            f"{decimals.number(control.delta)} is relevant."
        )
    unread = [f.family for f in counted if not f.matched]
    if unread:
        said.append(f"Control models that change the model as much: {reasons.listed(unread)} did not.")
    if record.capability.kept is False and counted and all(f.basis == "size" for f in counted):
        said.append(
            "Control models that lose as much capability, or a treatment that loses less: those of equal "
            "size lost less than the treated model."
        )
    return tuple(said)


def _evidence(record: Verification) -> str:
    """After no evidence: what could give some."""
    effect = leading.about(record)
    if (grew := leading.only_moved(record)) is not None:
        took = "may have taken" if grew.kept is None else "took"
        return (
            f"Look at the items whose gap grew, in the report: the treatment {took} subjects for one another."
        )
    if record.uncontrolled:
        return "Judge models whose weights can be opened (hf:...): control models are made from them."
    if _too_little(record):
        return "Measure another bias (`evenhand ls benchmarks`): there is too little of this one to treat."
    judged = not (record.reasons and record.reasons[0].startswith(reasons.NOT_JUDGED))
    if leading.too_small(record):
        return _stronger(record)
    if judged and (effect is None or not leading.fell(effect)):
        return _gentler(record) if record.capability.kept is False else _stronger(record)
    return _more_models(record) or _stronger(record)


def _too_little(record: Verification) -> bool:
    return bool(record.reasons) and record.reasons[0].startswith(reasons.TOO_LITTLE)


def _more_models(record: Verification) -> str:
    """The control models that a run which saw a fall still lacks; empty where more would not help."""
    control = record.control
    if control is None or not control.families:
        return "Make control models: run it again with `--control standard`."
    if control.reduced:
        return "Make control models of more kinds: run it again with `--control full`."
    unread = _never_matched(control)
    if unread:
        return (
            f"Treat the base in another way: {reasons.listed(unread)} cannot be made to change it as much as "
            "the treatment did and no more, and without them nothing can be claimed."
        )
    if _few_looks(record) and not parts.showing_most(control):
        return "Make more control models: run it again with `--control standard`."
    return ""


def _never_matched(control: ControlResult) -> list[str]:
    """The families that could not be matched by all the models of a look, so that more would not help."""
    from evenhand.studies.matching import LOOKS  # here: numpy must not be loaded for --help

    first = LOOKS[0][0]
    unread = [family for family in parts.countable(control.families) if not family.matched]
    return [family.family for family in unread if len(family.points) >= first]


def _stronger(record: Verification) -> str:
    if _given(record):
        return "Treat the base more strongly, or measure more items and another benchmark."
    return f"Try {_form(record, 'stronger', 'larger', 'more')}; or measure more items."


def _few_looks(record: Verification) -> bool:
    """Whether more models of a family could still have shown an effect: no p was hopeless."""
    from evenhand.studies.matching import FUTILE, LOOKS  # here: numpy must not be loaded for --help

    families = parts.countable(record.control.families if record.control else ())
    counted = [f for f in families if f.p_value is not None]
    most = LOOKS[-1][0]
    return any(len(f.points) < most for f in counted) and all((f.p_value or 0) <= FUTILE for f in counted)


def _worse(record: Verification) -> str:
    if _given(record):
        return "Do not use it: the base has less of this bias."
    return f"Do not use it: try another method than {record.treatment} (`evenhand ls mitigations`)."


def _comparable(record: Verification) -> str:
    return (
        "Measure both models under the same conditions, those that the reason names: the same items, "
        "templates, precision (`--dtype`) and tokenizer."
    )


def _after_loss(record: Verification) -> str:
    if not leading.controls(record) and not record.uncontrolled and not _words_lost(record):
        return "Make control models: run it again with `--control standard`."
    return _gentler(record)


def _words_lost(record: Verification) -> bool:
    return any(guard.name == "mass" and guard.kept is False for guard in record.guards)


_STEPS: Mapping[VerdictName, Callable[[Verification], str]] = {
    VerdictName.MITIGATED: _keep,
    VerdictName.AT_A_COST: _gentler,
    VerdictName.COST_UNKNOWN: _more_items,
    VerdictName.CAPABILITY_LOSS: _after_loss,
    VerdictName.OVER_CORRECTED: _gentler,
    VerdictName.NO_EVIDENCE: _evidence,
    VerdictName.WORSE: _worse,
    VerdictName.NOT_COMPARABLE: _comparable,
}
