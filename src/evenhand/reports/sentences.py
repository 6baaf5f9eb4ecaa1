"""Sentences that the command line and the report share, so that both say the same."""

from __future__ import annotations

from evenhand.records import (
    Attribution,
    Check,
    ControlResult,
    FamilyResult,
    GuardName,
    VerdictName,
    Verification,
)
from evenhand.reports import formats
from evenhand.studies import reasons

LIMITED = "limited, not reportable"
LIMITED_WHY = "This run saw only a part of the items (--limit): a check that things work, not a result."
DOUBTED = "†"  # beside a figure that is not to be believed; a sentence with the same sign says why
NOT_SPECIFIC = (
    "This score is not specific to the attribute: it says how much a block does on whatever text, "
    "and a high block is not thereby a biased one."
)
SPECIFIC = "This score depends on the attribute: it explains the gap between the groups' terms."

VERDICTS: dict[VerdictName, str] = {
    VerdictName.MITIGATED: "Evidence for less bias: the gap shrank by more than an equal loss of capability "
    "explains, and capability stayed within the margin.",
    VerdictName.AT_A_COST: "Evidence for less bias beyond what a loss of capability explains, "
    "but something else was lost on the way, or its loss cannot be ruled out.",
    VerdictName.CAPABILITY_LOSS: "The smaller gap is what a model damaged to the same degree shows too: "
    "this is no evidence for mitigation.",
    VerdictName.OVER_CORRECTED: "The bias was not reduced but turned around: items that leaned to one group "
    "now lean to the other.",
    VerdictName.NO_EVIDENCE: "There is no evidence that the treatment reduced the bias.",
    VerdictName.WORSE: "The bias grew.",
    VerdictName.NOT_COMPARABLE: "Before and after were not measured under the same conditions, "
    "so no difference between them means anything.",
}
_TURNED = "The bias was not reduced but turned around: the figure went past its ideal to the other side."
_LOST_WORDS = (
    "More than half of the probability of the words whose gap is measured was lost: no gap between words "
    "that the model says so much less is evidence of less bias."
)
_LOST_NO_CONTROL = (
    "Capability, or the probability of the words, was lost. No control was run, so nothing is said about "
    "the gap."
)
_LOST_UNMATCHED = (
    "Capability was lost, more of it than in the control models, so nothing shows that the treatment did "
    "anything but damage: this is no evidence for mitigation."
)
_LOST_GREW = (
    "The gap did not fall, and capability was lost. That the treatment did anything beyond this damage was "
    "not shown: this is no evidence for mitigation."
)
NOT_JUDGED = (
    "The figures before and after are measured, but no control models were made. Whether a model damaged to "
    "the same degree would show the same was not asked: this is evidence neither for nor against mitigation."
)
TONES: dict[VerdictName, str] = {
    VerdictName.MITIGATED: "good",
    VerdictName.AT_A_COST: "mixed",
    VerdictName.CAPABILITY_LOSS: "bad",
    VerdictName.OVER_CORRECTED: "bad",
    VerdictName.NO_EVIDENCE: "neutral",
    VerdictName.WORSE: "bad",
    VerdictName.NOT_COMPARABLE: "neutral",
}
LIMITATIONS = (
    "The figures are evidence for or against bias of one kind, on these prompts, under this protocol. "
    "They say nothing about other attributes, languages, tasks or prompts.",
    "A verdict is a statement about this model, this treatment and this seed. It does not make a model free "
    "of bias, and it is not a statement about any law or standard.",
    "Intervals cover the choice of items. They do not cover the choice of templates, terms or benchmark.",
    "Where two pronouns stand for gender, the view is narrow: it leaves out people whom neither describes.",
)


def marked(text: str, doubted: bool) -> str:
    """A figure as text, with the sign of doubt where there is one."""
    return f"{text} {DOUBTED}" if doubted else text


def is_judged(record: Verification) -> bool:
    """False where the gap fell and no control models were there to judge it by."""
    return not (
        record.verdict is VerdictName.NO_EVIDENCE
        and record.control is None
        and any(reason.startswith(reasons.NOT_JUDGED) for reason in record.reasons[:1])
    )


def headline(record: Verification) -> str:
    """The verdict's name for people: ``not judged`` instead of ``no evidence`` where nothing judged it."""
    return record.verdict.value if is_judged(record) else reasons.NOT_JUDGED.lower()


def sentence(record: Verification) -> str:
    """What the verdict means."""
    if not is_judged(record):
        return NOT_JUDGED
    if record.verdict is VerdictName.CAPABILITY_LOSS:
        return _loss(record)
    if record.verdict is VerdictName.OVER_CORRECTED and any(g.name == reasons.PAST for g in record.guards):
        return _TURNED
    return VERDICTS[record.verdict]


def _loss(record: Verification) -> str:
    """What *capability loss only* rests on: words that are lost, or what the control models showed."""
    control = record.control
    if _lost_words(record):
        return _LOST_WORDS if control else f"{_LOST_WORDS} No control was run."
    if control is None or not control.families:
        return _LOST_NO_CONTROL
    if not all(family.matched for family in control.families):
        return _LOST_UNMATCHED
    fell = control.total.value is not None and control.total.value > 0
    return VERDICTS[VerdictName.CAPABILITY_LOSS] if fell else _LOST_GREW


def _lost_words(record: Verification) -> bool:
    """Whether the words went, as the rule asks it: most of their mass, or the whole metric."""
    from evenhand.studies.guards import gone  # here: numpy must not be loaded for --help
    from evenhand.studies.margins import Margins

    undefined = record.control is not None and record.control.total.value is None
    return undefined or any(
        guard.name == GuardName.MASS and gone(guard, Margins()) for guard in record.guards
    )


def locator_sentence(location: Attribution) -> str:
    """Whether the score says anything about the attribute; every surface prints it beside the score."""
    return SPECIFIC if location.specific else NOT_SPECIFIC


def found_nothing(location: Attribution) -> str:
    """What to say when a locator that looks at the attribute claims nothing; empty otherwise.

    A locator that does not look at it never claims anything, which is no finding.
    """
    silent = location.specific and not location.claims
    return "The locator itself found nothing worth acting on." if silent else ""


def kept(check: Check) -> str:
    """A check's outcome in a word or two."""
    return {True: "kept", False: "not kept", None: "undecided"}[check.kept]


def is_equivalent(family: FamilyResult) -> str:
    """What the equivalence test of a control family said."""
    return {True: "only capability", False: "no", None: "–"}[family.equivalent]


def reduced_sentence(control: ControlResult | None) -> str:
    """How much weight the control bears."""
    if control is None:
        return (
            "No capability-matched control was run, so a loss of capability cannot be ruled out as the cause."
        )
    if control.reduced:
        return (
            "The control ran in its reduced form: fewer doses or seeds than the full one asks for, "
            "so its answer is coarser. Run with --control full before you rely on it."
        )
    return "The control ran in its full form."


def detectable_sentence(control: ControlResult) -> str:
    """The smallest specific effect that this control could have seen."""
    if control.minimum_detectable is None:
        return "The smallest specific effect that this control could have shown is undefined."
    smallest = formats.number(control.minimum_detectable)
    return f"The smallest specific effect that this control could have shown is {smallest}."
