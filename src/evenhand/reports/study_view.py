"""The variables of ``study.html.j2``: a study turned into tables, plots, a transfer matrix and flips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenhand import __version__, decimals
from evenhand.provenance import line
from evenhand.records import Verification
from evenhand.reports import (
    doubted,
    flips,
    formats,
    leading,
    methods,
    pareto,
    sentences,
    studied,
    summary,
    tables,
)
from evenhand.reports.plots import Plot
from evenhand.studies.compare import headline
from evenhand.studies.distance import distance_of
from evenhand.studies.grid import table as tidy
from evenhand.studies.grid.result import Chosen, Outcome, StudyResult
from evenhand.studies.resolving import resolution
from evenhand.training.stacking import split

JOINT = "loss of capability (SDs of its items)"
TONES = {"better": "good", "worse": "bad", "kept": "good", "lost": "bad"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the transfer matrix: the change with its interval, what it says, and its tone."""

    change: str
    said: str
    tone: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """A model's transfer matrix: `heads` are benchmark, metric and role, `rows` names and entries."""

    model: str
    heads: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[str, tuple[Entry, ...]], ...]


@dataclass(frozen=True, slots=True)
class Front:
    """The Pareto plot of one model."""

    model: str
    sentence: str
    plot: Plot


@dataclass(frozen=True, slots=True)
class Page:
    """What one cell of a mitigation did: its verdict in words, and which items changed sides."""

    model: str
    seed: int
    treatment: str
    verdict: str
    tone: str
    sentence: str
    reason: str
    flips: tuple[flips.Flips, ...]


@dataclass(frozen=True, slots=True)
class Mitigation:
    """The part about one mitigation: how its setting was chosen, and its cells."""

    name: str
    id: str
    settings: tuple[tables.Table, ...]
    pages: tuple[Page, ...]
    others: tuple[str, ...]


def study(result: StudyResult) -> Mapping[str, Any]:
    """The variables of the template."""
    models = result.study.models
    each = flips.BUDGET // max(1, sum(o.record is not None for o in result.outcomes))
    return {
        "title": f"The study {result.study.name}",
        "lead": summary.study_sentence(result),
        "next_step": formats.coded(summary.study_step(result)),
        "cards": summary.of_study(result),
        "study": result.study,
        "limited": result.limited,
        "limited_text": sentences.LIMITED,
        "limited_why": sentences.LIMITED_WHY,
        "done": sum(o.record is not None for o in result.outcomes),
        "cells": result.study.cells,
        "overview": studied.overview(result),
        "notes": [n for n in studied.notes(result) if not n.startswith(sentences.LIMITED)],
        "legend": legend(result),
        "fronts": [f for place, uri in enumerate(models) if (f := front(result, uri, place))],
        "transfers": [t for uri in models if (t := transfer(result, uri))],
        "mitigations": [
            mitigation(result, entry.name, n, each) for n, entry in enumerate(result.study.mitigations)
        ],
        "columns": tidy.COLUMNS.items(),
        "methods": methods.of_specs([("mitigation", entry) for entry in specs(result)]),
        "citing": methods.citing(next((o.record.made_by for o in result.outcomes if o.record), None)),
        "facts": facts(result),
        "limitations": sentences.LIMITATIONS,
        "version": __version__,
    }


def specs(result: StudyResult) -> list[str]:
    """The specs of every mitigation that a judged cell used, each once."""
    found = [part for o in result.outcomes if o.record is not None for part in split(o.record.treatment)]
    return list(dict.fromkeys(found))


def of_model(result: StudyResult, uri: str) -> list[Outcome]:
    """The cells of one model."""
    return [o for o in result.outcomes if o.cell.model == uri]


def legend(result: StudyResult) -> list[tuple[str, str, str]]:
    """Sign, tone and verdict of every verdict in the study, once."""
    found = dict.fromkeys(o.record.verdict for o in result.outcomes if o.record is not None)
    return [(pareto.SIGNS[tone], tone, str(v)) for v in found for tone in [sentences.TONES[v]]]


def front(result: StudyResult, uri: str, place: int) -> Front | None:
    """The Pareto plot of a model; None where no cell of it has both figures."""
    own = of_model(result, uri)
    found = pareto.points(own)
    records = [o.record for o in own if o.record is not None]
    if not found:
        return None
    effect = next(e for record in records if (e := leading.about(record)) is not None)
    check = next((c for record in records if (c := tidy.capability_loss(record)) is not None), None)
    joint = pareto.is_joint(own) or check is None
    loss = JOINT if joint or check is None else f"loss of {check.name}"
    margin = None if joint or check is None else check.margin
    base = distance_of(effect).value(effect.before.value)
    alt = (
        f"{uri}: bias after treatment ({effect.metric} on {effect.benchmark}) against the {loss}, one "
        "point a cell with its intervals; best at the lower left."
    )
    plot = Plot(
        f"pareto-{place}",
        alt,
        pareto.figure(found, base, margin, (loss, f"bias after ({effect.metric})")),
        pareto.table(found, f"Bias and capability on {uri}"),
    )
    return Front(uri, pareto.front_sentence(found, base), plot)


def transfer(result: StudyResult, uri: str) -> Transfer | None:
    """The changes of every benchmark's own figure on one model; None where no cell is done."""
    own = [o for o in of_model(result, uri) if o.record is not None]
    if not own:
        return None
    seeds = len(result.study.seeds) > 1
    first = own[0].record
    assert first is not None
    shown = [(m.benchmark, headline(m), m.role) for m in first.before]
    heads = tuple((b, metric, role) for b, metric, role in shown if metric is not None)
    rows = tuple(
        (
            f"{o.cell.mitigation}{f', seed {o.cell.seed}' if seeds else ''}",
            tuple(
                bias_entry(o.record, b, metric) if role == "bias" else kept(o.record, b)
                for b, metric, role in heads
            ),
        )
        for o in own
        if o.record is not None
    )
    return Transfer(uri, heads, rows)


def bias_entry(record: Verification, benchmark: str, metric: str) -> Entry:
    """The entry of the matrix for a benchmark's own figure."""
    effect = next((e for e in record.effects if (e.benchmark, e.metric) == (benchmark, metric)), None)
    if effect is None:
        return Entry("–", "not measured", "neutral")
    sides = (doubted.of(record.before), doubted.of(record.after, record.before))
    found = resolution(effect, doubted=any(benchmark in doubted.whole(side) for side in sides))
    said = "descriptive" if found is None else str(found.outcome)
    return Entry(formats.with_interval(effect.change, signed=True), said, TONES.get(said, "neutral"))


def kept(record: Verification, benchmark: str) -> Entry:
    """The entry for a benchmark of capability: its check, which is held against a margin."""
    checks = [c for c in record.capability.checks if c.name.endswith(f"({benchmark})")]
    check = next((c for c in checks if not c.name.startswith("options")), None)
    if check is None:
        return Entry("–", "nothing to lose", "neutral")
    said = {True: "kept", False: "lost", None: "undecided"}[check.kept]
    loss = formats.with_interval(check.loss, signed=True)
    return Entry(f"loss {loss}", said, TONES.get(said, "neutral"))


def mitigation(result: StudyResult, name: str, place: int, budget: int) -> Mitigation:
    """The part about one mitigation: each model's first seed in full, the others in a sentence.

    `budget` is how many characters of packed items each of its cells may have.
    """
    own = [o for o in result.outcomes if o.cell.mitigation == name]
    first = result.study.seeds[0]
    pages = tuple(page(o, budget) for o in own if o.record is not None and o.cell.seed == first)
    others = tuple(
        f"{o.cell.model}, seed {o.cell.seed}: {o.record.verdict}"
        if o.record is not None
        else f"{o.cell.model}, seed {o.cell.seed}: {o.state.state}. {o.state.error}".rstrip()
        for o in own
        if o.record is None or o.cell.seed != first
    )
    settings = tuple(_settings(one) for one in result.chosen if one.mitigation == name)
    return Mitigation(name, f"mitigation-{place}", settings, pages, others)


def page(outcome: Outcome, budget: int) -> Page:
    """What the cell did; see `mitigation` for `budget`."""
    record = outcome.record
    assert record is not None
    return Page(
        outcome.cell.model,
        outcome.cell.seed,
        record.treatment,
        str(record.verdict),
        sentences.TONES[record.verdict],
        leading.sentence(record),
        record.reasons[0] if record.reasons else "",
        flips.flips(record, budget=budget, whole=False),
    )


def _settings(one: Chosen) -> tables.Table:
    """A grid's settings on dev items, the chosen one marked."""
    rows = tuple(
        (
            s.spec,
            "chosen" if s.spec == one.selection.chosen else "failed" if s.error else "",
            decimals.number(s.bias),
            formats.percent(s.mass),
            decimals.number(s.rest),
        )
        for s in one.selection.settings
    )
    head = ("setting", "", "bias on dev items", "words' probability kept", "other words moved, nats")
    caption = f"{one.model}: settings on {one.selection.benchmark}; {one.selection.why}"
    return tables.Table(caption, head, rows, labels=2)


def facts(result: StudyResult) -> list[tuple[str, str]]:
    """What identifies the study."""
    record = next((o.record for o in result.outcomes if o.record is not None), None)
    o = result.study.options
    found = [
        ("models", ", ".join(result.study.models)),
        ("seeds", ", ".join(map(str, result.study.seeds))),
        ("control", o.control),
        ("margin of accuracy", f"{o.margin:g}"),
        ("locator", o.locator),
        ("limit", "none" if o.limit is None else str(o.limit)),
        ("minutes in all", decimals.fixed(sum(one.minutes for one in result.outcomes), 1)),
    ]
    return [*found, ("made by", line(None if record is None else record.made_by))]
