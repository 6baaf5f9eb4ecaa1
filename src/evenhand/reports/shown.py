"""What a run showed and what it did not: the claims about the bias, and all that must not be lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenhand import decimals
from evenhand.records import ControlResult, Estimate, FamilyResult, Verification
from evenhand.reports import checked, formats, leading, sentences
from evenhand.reports.tables import Table
from evenhand.studies import parts
from evenhand.studies.capability import negated
from evenhand.studies.distance import distance_of

SHOWN, NOT_SHOWN, NOT_TESTED = "shown", "not shown", "not tested"
_ASKED_IN = re.compile(r"The sentences are \w+, and the terms are [^.]*\.")  # of a benchmark's card
_SAME = 1e-9  # two readings of one fall differ by less
_LOST_LESS = "every family was read at an equal size of change, where it lost less capability"


def claims(record: Verification) -> Table:
    """Each claim that a verdict of less bias needs, whether it was shown, and by which figures."""
    head = ("claim", "state", "what the data say")
    return Table("What was shown of the bias, and what was not", head, tuple(_claims(record)), labels=3)


def losses(record: Verification) -> Table:
    """Every check: its state, the loss that was seen, and the smallest loss that is excluded."""
    rows = tuple(
        (
            checked.title(check),
            checked.state(check),
            checked.seen(check),
            checked.excluded(check),
            checked.amount(check, check.margin),
        )
        for check in leading.checks(record)
    )
    head = ("what must not be lost", "state", "loss seen", "loss excluded", "margin")
    return Table("What must not be lost", head, rows, labels=2)


Claim = tuple[str, str, str]


def _claims(record: Verification) -> Iterator[Claim]:
    effect, control = leading.about(record), record.control
    if effect is None:
        return
    fall = negated(distance_of(effect).change(effect.change))
    yield "the bias fell", _state(leading.fell(effect)), f"by {formats.with_interval(fall)}"
    if control is None:
        why = record.uncontrolled or "No control models were run."
        yield "it fell more than in control models", NOT_TESTED, why
        return
    yield from _of_the_fall(fall, control)
    for family in control.families:
        yield f"it fell more than in {family.family} models", *_beyond(family, control)
    for why in control.absent:
        yield "it fell more than in further models", NOT_TESTED, why
    yield from _of_the_control(record, control)


def _of_the_fall(fall: Estimate, control: ControlResult) -> Iterator[Claim]:
    """Whether the fall is at least the smallest relevant one, in the reading that is judged."""
    total = control.total
    if total.value is not None and fall.value is not None and abs(total.value - fall.value) > _SAME:
        certain = total.low is not None and total.low > 0
        by = f"by {formats.with_interval(total)}: its head became flatter or sharper"
        yield "it fell at the base's temperature as well", _state(certain), by
    enough = total.value is not None and total.value >= control.delta
    figures = f"{decimals.number(total.value)}; {decimals.number(control.delta)} or more is relevant"
    yield "the fall is large enough to matter", _state(enough), figures


def _of_the_control(record: Verification, control: ControlResult) -> Iterator[Claim]:
    """Whether the control can carry a claim at all."""
    if control.reduced:
        what = "It takes a sham of the method and another kind, or three kinds where there is no sham."
        yield "the control models are of enough kinds", NOT_SHOWN, what
    counted = parts.countable(control.families)
    if record.capability.kept is False and counted:
        reached = any(family.matched and family.basis != "size" for family in counted)
        how = "a family was read at equal loss" if reached else _LOST_LESS
        yield "models that lost as much capability are among them", SHOWN if reached else NOT_TESTED, how


def _beyond(family: FamilyResult, control: ControlResult) -> tuple[str, str]:
    """Whether a fall beyond one family was shown, and its figures."""
    if not family.matched:
        return NOT_TESTED, sentences.read_at(family)
    p = formats.p_value(family.p_value)
    limit = "" if family.p_limit is None else f", claimed up to {family.p_limit:g}"
    shown = parts.beyond_in(control, family)
    return _state(shown), f"by {formats.with_interval(family.specific)}, p {p}{limit}"


def _state(shown: bool) -> str:
    return SHOWN if shown else NOT_SHOWN


def asked_in(record: Verification) -> str:
    """In which language, and between which words, the bias was asked about; empty where that was English.

    The sentence is that of the measurement's card, as it was stored.
    """
    found = (_ASKED_IN.search(m.card.reading) for m in record.before if m.role == "bias")
    said = list(dict.fromkeys(match.group() for match in found if match))
    return f"{' '.join(said)} A claim is about this language alone." if said else ""


def scope(record: Verification) -> str:
    """Beyond which control models the claim goes, and that it goes no further."""
    ran = leading.controls(record)
    if not ran:
        return "No control models: a fall of the bias cannot be told from damage."
    return (
        f"A claim goes beyond {ran}, and beyond nothing else: damage of another kind that moves the bias and "
        "none of the checks below cannot be told from a mitigation."
    )
