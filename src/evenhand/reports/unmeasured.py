"""What a run did not measure, as sentences: what a reader might take for granted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evenhand.records import TREATED, Measurement, Verification
from evenhand.reports import checked, leading, sentences
from evenhand.reports.summary import main_metric


def of_verification(record: Verification) -> tuple[str, ...]:
    """Checks, control families, fits and items that a verification lacks."""
    return tuple(dict.fromkeys(_of_verification(record)))


def _of_verification(record: Verification) -> Iterator[str]:
    if record.limited or any(m.protocol.limited for m in record.before):
        yield "Most items: this run was limited to a part of them."
    yield from _controls(record)
    for check in leading.checks(record):
        if check.loss.value is None:
            yield f"Whether the {checked.title(check)} was kept."
    if not record.capability.checks:
        yield "What the model can do: no benchmark of capability was measured."
    if record.location is None:
        yield "Where in the model the bias is: no locator was run."
    if record.treatment.startswith(TREATED):
        yield "How the treated model was made: it may have been trained on these items."
    elif not record.seeds:
        yield f"Other fits of the method: this is one, with seed {record.seed} (`--seeds` makes more)."
    yield from _undefined(record.before, "before")
    yield from _undefined(record.after, "after")


def _controls(record: Verification) -> Iterator[str]:
    control = record.control
    if control is None:
        yield f"Control models. {record.uncontrolled or 'None were made.'}"
        return
    yield from (f"Further control models. {why}" for why in control.absent)
    for family in control.families:
        if not family.matched:
            yield f"What a change without a signal does by {family.family}: {sentences.read_at(family)}."


def of_measurements(records: Sequence[Measurement]) -> tuple[str, ...]:
    """Sides, items and intervals that a plain measurement lacks."""
    return tuple(dict.fromkeys(_of_measurements(records)))


def _of_measurements(records: Sequence[Measurement]) -> Iterator[str]:
    if any(m.protocol.limited for m in records):
        yield "Most items: this run was limited to a part of them."
    if not any(m.role == "bias" for m in records):
        yield "Any bias: only capability was measured."
    if all(m.role == "bias" for m in records):
        yield "What the model can do: no benchmark of capability was measured."
    for m in records:
        found = m.metrics.get(main_metric(m)) if m.metrics else None
        if found is not None and found.value is not None and found.low is None:
            yield f"How certain {main_metric(m)} of {m.benchmark} is: it has no interval."
    yield from _undefined(records, "")


def _undefined(records: Sequence[Measurement], when: str) -> Iterator[str]:
    for m in records:
        found = m.metrics.get(main_metric(m)) if m.metrics else None
        if found is not None and found.undefined:
            side = f" {when}" if when else ""
            yield (
                f"{found.undefined} of {m.n} items of {m.benchmark}{side}: they have no defined value and "
                "are left out."
            )
