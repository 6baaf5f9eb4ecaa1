"""Sentences that the command line and the report share."""

from __future__ import annotations

from evenhand import decimals
from evenhand.records import (
    Attribution,
    Check,
    ControlResult,
    FamilyResult,
    GuardName,
    VerdictName,
    Verification,
)
from evenhand.studies import parts, reasons

LIMITED = "limited, not reportable"
LIMITED_WHY = "This run used only a part of the items (--limit): a test of the setup, not a result."
DOUBTED = "†"  # marks an unreliable figure; a sentence with the same sign gives the reason
NOT_SPECIFIC = (
    "This score is not specific to the attribute: it shows how much a block changes the hidden states on any "
    "text, so a high score does not mean that the block is biased."
)
SPECIFIC = "This score depends on the attribute: it explains the gap between the groups' terms."

VERDICTS: dict[VerdictName, str] = {
    VerdictName.MITIGATED: "Evidence for less bias: the bias fell by more than in any family of control "
    "models, and every check of capability and every guard is kept.",
    VerdictName.AT_A_COST: "Evidence for less bias: the bias fell by more than in any family of control "
    "models, but something else was lost.",
    VerdictName.COST_UNKNOWN: "Evidence for less bias: the bias fell by more than in any family of control "
    "models. Nothing else was certainly lost, but a loss could not be ruled out.",
    VerdictName.CAPABILITY_LOSS: "Models changed as much without a signal about the groups show such a fall "
    "too, or may do: this is no evidence for mitigation.",
    VerdictName.OVER_CORRECTED: "The bias was not reduced but reversed: items that leaned to one group "
    "now lean to the other.",
    VerdictName.NO_EVIDENCE: "There is no evidence that the treatment reduced the bias.",
    VerdictName.WORSE: "The bias grew.",
    VerdictName.NOT_COMPARABLE: "Before and after were not measured under the same conditions, "
    "so no difference between them means anything.",
}
_TURNED = "The bias was not reduced but reversed: the figure went past its ideal to the other side."
_LOST_WORDS = (
    "More than half of the probability of the words whose gap is measured was lost: a smaller gap between "
    "words that the model uses so much less is no evidence of less bias."
)
_LOST_NO_CONTROL = (
    "Capability, or the probability of the words, was lost. No control was run, so the gap cannot be judged."
)
_LOST_UNMATCHED = (
    "The control models could not be matched to this model, so an effect beyond such damage cannot be "
    "shown: this is no evidence for mitigation."
)
_LOST_MORE = (
    "Models changed as much without a signal about the groups lost less capability. What a loss like that of "
    "the treated model does to the bias by itself was not seen: this is no evidence for mitigation."
)
_LOST_GREW = (
    "The gap did not fall, and capability was lost. No effect of the treatment beyond this damage was "
    "shown: this is no evidence for mitigation."
)
NOT_JUDGED = (
    "The figures before and after are measured, but no control models were made. Whether a model changed as "
    "much without a signal about the groups would show the same was not tested: this is evidence neither for "
    "nor against mitigation."
)
TONES: dict[VerdictName, str] = {
    VerdictName.MITIGATED: "good",
    VerdictName.AT_A_COST: "mixed",
    VerdictName.COST_UNKNOWN: "mixed",
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
    "Where two pronouns represent gender, the measurement is limited: people of other genders are left out.",
)


def marked(text: str, doubted: bool) -> str:
    """A figure as text, marked with the sign `DOUBTED` if it is unreliable."""
    return f"{text} {DOUBTED}" if doubted else text


def headline(record: Verification) -> str:
    """The displayed name of the verdict: ``not judged`` instead of ``no evidence`` without control models."""
    return record.verdict.value if reasons.is_judged(record) else reasons.NOT_JUDGED.lower()


def sentence(record: Verification) -> str:
    """What the verdict means."""
    if not reasons.is_judged(record):
        return NOT_JUDGED
    if record.verdict is VerdictName.CAPABILITY_LOSS:
        return _loss(record)
    if record.verdict is VerdictName.OVER_CORRECTED and any(g.name == reasons.PAST for g in record.guards):
        return _TURNED
    return VERDICTS[record.verdict]


def _loss(record: Verification) -> str:
    """The reason of *capability loss only*: words that are lost, or the result of the control models."""
    control = record.control
    if _lost_words(record):
        return _LOST_WORDS if control else f"{_LOST_WORDS} No control was run."
    if control is None or not control.families:
        return _LOST_NO_CONTROL
    counted = parts.countable(control.families)
    if not counted or not all(family.matched for family in counted):
        return _LOST_UNMATCHED
    if control.total.value is None or control.total.value <= 0:
        return _LOST_GREW
    by_size = all(family.basis == "size" for family in counted)
    return _LOST_MORE if by_size else VERDICTS[VerdictName.CAPABILITY_LOSS]


def _lost_words(record: Verification) -> bool:
    """Whether the words were lost, as the rule defines it: most of their mass, or an undefined metric."""
    from evenhand.studies.guards import gone  # here: numpy must not be loaded for --help
    from evenhand.studies.margins import Margins

    undefined = record.control is not None and record.control.total.value is None
    return undefined or any(
        guard.name == GuardName.MASS and gone(guard, Margins()) for guard in record.guards
    )


def locator_sentence(location: Attribution) -> str:
    """Whether the score depends on the attribute; every output prints this sentence with the score."""
    return SPECIFIC if location.specific else NOT_SPECIFIC


def of_location() -> tuple[str, ...]:
    """The limitations of a location, which is no verdict and has no interval."""
    first, _, _, last = LIMITATIONS
    return first, last


def located(location: Attribution) -> str:
    """What a locator found, in one sentence that claims no more than it does."""
    top = next(score for score in location.scores if score.site == location.top)
    score = f"{decimals.number(top.value)} by {location.locator}"
    if not location.specific:
        return f"{location.top} has the highest score ({score}), which does not say that it is biased."
    if not location.claims:
        return f"{location.locator} found no block that carries a relevant part of the gap."
    return f"{location.top} has the largest part in the gap between the groups' terms ({score})."


def found_nothing(location: Attribution) -> str:
    """A sentence if an attribute-specific locator reports no finding; empty otherwise.

    A locator that is not specific never reports a finding, so this would not be informative.
    """
    silent = location.specific and not location.claims
    return "The locator itself found no block with a relevant score." if silent else ""


def kept(check: Check) -> str:
    """A check's outcome in a word or two."""
    return {True: "kept", False: "not kept", None: "undecided"}[check.kept]


_STATES = {
    "matched": "at equal {basis}, dose {dose}",
    "unmatched": "not matched: no dose changes the model as much",
    "inert": "cannot change the model half as much: does not count",
    "broken": "not matched: too many of its models are broken",
    "few": "not matched: too few models near the treated one",
}


def read_at(family: FamilyResult) -> str:
    """Where a family was read, or why it could not be."""
    state = family.state or ("matched" if family.matched else "unmatched")
    basis = family.basis or "capability"
    return _STATES[state].format(basis=basis, dose=decimals.number(family.dose))


def reduced_sentence(control: ControlResult | None) -> str:
    """What the control consisted of, and whether it can carry a claim."""
    if control is None:
        return "No control models were run, so a loss of capability cannot be ruled out as the cause."
    counted = parts.countable(control.families)
    ran = ", ".join(f"{len(family.points)} of {family.family}" for family in counted) or "none"
    if control.reduced:
        return (
            f"Control models: {ran}. That is too narrow to carry a claim: it takes a sham of the method and "
            "another kind, or three kinds where the method has no sham."
        )
    return f"Control models: {ran}. A claim is made beyond all of these, and beyond nothing else."


def detectable_sentence(control: ControlResult) -> str:
    """The smallest effect beyond the control models that this control could have detected."""
    if control.minimum_detectable is None:
        return "The smallest effect beyond the control models that could have been shown is undefined."
    smallest = decimals.number(control.minimum_detectable)
    return f"The smallest effect beyond the control models that could have been shown is {smallest}."
