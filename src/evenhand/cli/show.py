"""Records as tables and sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evenhand import decimals
from evenhand.cli import console
from evenhand.records import (
    Attribution,
    Check,
    ControlResult,
    Effect,
    Estimate,
    Generation,
    Measurement,
    Verification,
)
from evenhand.reports import advice, equal, formats, leading, seeded, sentences, tables

if TYPE_CHECKING:
    from evenhand.models import Asked
    from evenhand.studies.resolving import Resolution


FIGURES = ("value", "95 % interval", "n", "better")


def stamp(limited: bool) -> None:
    """Print that a limited run is not a result."""
    if limited:
        console.say(f"*** {sentences.LIMITED} *** {sentences.LIMITED_WHY}\n")


def measurement(record: Measurement) -> None:
    """Every metric over all items, and by slice the first one that is defined there.

    For example, a difference between groups is undefined in the slice of one group.
    """
    stamp(record.protocol.limited)
    rows = [(name, *_row(tables.metric_title(name), name, each)) for name, each in record.metrics.items()]
    title = f"{record.benchmark}: {record.card.title}"
    console.table(title, ("key", "metric", *FIGURES), rows, labels=2, spare=1)
    for chance in equal.shown(record):
        console.table(chance.caption, chance.head, chance.rows, labels=chance.labels, spare=1)
        console.say(f"{equal.NOTE}\n")
    slices = []
    for key, part in record.slices.items():
        names = [name for name in record.metrics if name in part]
        shown = next((name for name in names if part[name].value is not None), next(iter(names), ""))
        if shown:
            slices.append((shown, *_row(key, shown, part[shown])))
    if slices:
        console.table(f"{record.benchmark} by slice", ("key", "slice", *FIGURES), slices, labels=2)
    notes(record.notes)


def _row(title: str, name: str, estimate: Estimate) -> tuple[str, ...]:
    value, way = decimals.number(estimate.value), tables.short(tables.better(name, estimate.ideal))
    return (title, value, formats.interval(estimate), formats.count(estimate), way)


def requests(asked: Mapping[str, Sequence[Asked]]) -> None:
    """The number of requests of each benchmark, and how to record answers to them."""
    rows = []
    for name, placed in asked.items():
        texts = sum(isinstance(one.request, Generation) for one in placed)
        items = len({one.sample for one in placed})
        rows.append((name, str(items), str(texts), str(len(placed) - texts)))
    console.table("dry run: nothing was asked", ("benchmark", "items", "texts", "scores"), rows)
    console.say("With --json every request is printed with its sample. Answer each in a line of a file:")
    console.say('  {"sample": "...", "request": 0, "completion": "..."}  or  {..., "logprob": -1.5}')
    console.say("and measure it: `evenhand measure recorded:FILE` with the same benchmarks.")


def location(record: Attribution) -> None:
    """Blocks from the highest score down, and the limits of the score."""
    rows = sorted(record.scores, key=lambda s: -s.value)
    console.table(
        f"{record.locator}: highest is {record.top}",
        ("block", "score"),
        [(score.site, decimals.number(score.value)) for score in rows],
    )
    console.say(sentences.locator_sentence(record))
    if nothing := sentences.found_nothing(record):
        console.say(nothing)
    if record.reading:
        console.say(record.reading)
    console.say()


def treatment(summary: Mapping[str, Any]) -> None:
    """The summary of a fitted treatment, with rounded numbers, and where it was applied."""
    if summary.get("location") is not None:
        location(summary["location"])
    titles = {"details": "how it was fitted", "proof": "what it changed"}
    kept = {key: summary[key] for key in ("method", "base", "digest", "seed") if key in summary}
    for title, part in (("treatment", kept), *((titles[key], summary.get(key)) for key in titles)):
        if part:
            console.table(title, ("what", "value"), list(formats.flat(part)), labels=2)


def verdict(record: Verification) -> None:
    """The verdict and its reasons."""
    stamp(record.limited)
    console.say(leading.sentence(record))
    console.say(f"Next: {advice.next_step(record)}")
    console.say(f"Verdict: {sentences.headline(record)}")
    console.say(sentences.sentence(record))
    for reason in record.reasons:
        console.say(f"  - {reason}")
    if settling := advice.settling(record):
        console.say("What would settle it:")
        for text in settling:
            console.say(f"  - {text}")
    console.say()


def verification(record: Verification) -> None:
    """The verdict, then the figures that support it."""
    verdict(record)
    if record.seeds:
        for table in (seeded.models(record), seeded.effects(record)):
            console.table(table.caption, table.head, table.rows, labels=table.labels)
        console.say("A method has the weakest verdict of its models. Everything below is about that one.\n")
    effects(record.effects)
    if record.capability.checks:
        _checks(record.capability.checks, "Capability")
    if record.guards:
        _checks(record.guards, "Guards")
    if record.control is not None:
        _families(record.control)
    console.say(sentences.reduced_sentence(record.control))
    console.say()
    if record.location is not None:
        location(record.location)
    notes(record.notes)


def effects(items: Sequence[Effect]) -> None:
    """One table for each benchmark: every metric before and after, by its key."""
    for benchmark in dict.fromkeys(effect.benchmark for effect in items):
        own = [effect for effect in items if effect.benchmark == benchmark]
        rows = [
            (
                e.metric,
                tables.metric_title(e.metric),
                decimals.number(e.before.value),
                decimals.number(e.after.value),
                decimals.number(e.change.value, signed=True),
                formats.interval(e.change, signed=True),
                formats.p_value(e.p_value),
                tables.short(tables.better(e.metric, e.before.ideal)),
            )
            for e in own
        ]
        head = ("key", "metric", "before", "after", "change", "95 % interval", "p", "better")
        console.table(f"{benchmark}, {formats.count(own[0].change)} items", head, rows, labels=2, spare=1)


def resolutions(items: Sequence[Effect], said: Sequence[Resolution | None]) -> None:
    """What each change of a metric with an ideal says: better, worse or unresolved, and why not more."""
    rows = [
        (f"{e.benchmark} {e.metric}", str(one.outcome), decimals.number(one.delta), one.why or "–")
        for e, one in zip(items, said, strict=True)
        if one is not None
    ]
    head = ("figure", "the second is", "smallest relevant", "why unresolved")
    console.table("what the changes say", head, rows, labels=2)
    if any(outcome == "unresolved" for _, outcome, *_ in rows):
        console.say("Unresolved says that no difference was shown, not that there is none.")


def _families(control: ControlResult) -> None:
    rows = [
        (
            family.family,
            str(len(family.points)),
            decimals.number(family.capability_part.value),
            decimals.number(family.specific.value),
            formats.interval(family.specific),
            formats.p_value(family.p_value),
        )
        for family in control.families
    ]
    total = formats.with_interval(control.total)
    title = f"Control models: of the fall T = {total} in {control.metric}"
    head = ("family", "models", "show K", "leave S", "95 % interval of S", "p (S ≤ 0)")
    console.table(title, head, rows)


def notes(texts: Sequence[str]) -> None:
    """The notes of a measurement or a study."""
    for text in texts:
        console.say(console.one_paragraph(f"Note: {text}"))


def _checks(items: Sequence[Check], title: str) -> None:
    shown = tables.checks(items, title)
    rows = [(*row, str(check.loss.n)) for row, check in zip(shown.rows, items, strict=True)]
    console.table(title, (*shown.head, "n"), rows, labels=shown.labels)
