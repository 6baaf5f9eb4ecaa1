"""The variables of the templates: records turned into texts, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand import __version__, decimals
from evenhand.provenance import line
from evenhand.records import (
    Attribution,
    ControlResult,
    Effect,
    MadeBy,
    Measurement,
    ModelSpec,
    Verification,
)
from evenhand.reports import (
    advice,
    command,
    control_figures,
    controlled,
    decided,
    doubted,
    equal,
    figures,
    flips,
    formats,
    leading,
    methods,
    seeded,
    sentences,
    shares,
    shown,
    sites,
    slices,
    summary,
    tables,
    unmeasured,
)
from evenhand.reports import texts as item_texts
from evenhand.reports.plots import Panel, Plot
from evenhand.reports.tables import Table
from evenhand.studies.primary import subject

EACH = 25
MOST_DRAWN = 400  # professions in the long form of their plot


@dataclass(frozen=True, slots=True)
class FamilyPicture:
    """A family of control models: its mark and name, where it was read, its panels, and their figures."""

    name: str
    read: str
    panels: tuple[Panel, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Bias:
    """The parts about one benchmark with group probabilities."""

    benchmark: str
    by_scale: Plot
    other_scales: tuple[Table, ...]
    shares: Plot | None
    case_study: Table | None
    groups: tuple[str, ...]

    @property
    def cases_measured(self) -> bool:
        """Whether any profession of the case study was measured."""
        rows = () if self.case_study is None else self.case_study.rows
        return any(set(row[1:]) != {tables.ABSENT} for row in rows)


def verification(
    record: Verification, locations: Sequence[Attribution], *, texts: bool = False
) -> Mapping[str, Any]:
    """The variables of ``verification.html.j2``; `locations` are shown after the record's own location.

    `texts` says whether the texts of items are shown.
    """
    pair, people = shares.pair(record), decided.pair(record)
    own = () if record.location is None else (record.location,)
    after = record.after[0].model if record.after else None
    sides = (doubted.of(record.before), doubted.of(record.after, record.before))
    marked = [doubted.whole(side) for side in sides]
    return (
        {
            "record": record,
            "title": f"{sentences.headline(record)}: {record.treatment} on {record.model.uri}",
            "tone": sentences.TONES[record.verdict],
            "headline": sentences.headline(record),
            "lead": leading.sentence(record),
            "next_step": formats.coded(advice.next_step(record)),
            "settling": [formats.coded(text) for text in advice.settling(record)],
            "claims": shown.claims(record),
            "losses": shown.losses(record),
            "scope": shown.scope(record),
            "asked_in": shown.asked_in(record),
            "sentence": sentences.sentence(record),
            "seeds": [seeded.models(record), seeded.effects(record)] if record.seeds else [],
            "limited": record.limited or any(m.protocol.limited for m in (*record.before, *record.after)),
            "cards": summary.of_verification(record, marked),
            "headlines": tables.headlines(headlines(record), marked),
            "doubts": doubted.both_sides(*sides),
            "notes": doubted.others(
                record.notes, [text for side in sides for text in doubted.sentences(side)]
            ),
            "bias": None if pair is None else bias(*pair),
            "decided": None if people is None else decisions(*people),
            "primaries": primaries(record, None if pair is None else pair[0]),
            "map": sites.of((*own, *locations), sites.treated_blocks(record)),
            "no_interval": sites.NO_INTERVAL,
            "capability": tables.checks(record.capability.checks, "Capability checks"),
            "guards": tables.checks(record.guards, "Guards"),
            "control": None if record.control is None else control(record, record.control),
            "control_sentence": sentences.reduced_sentence(record.control),
            "effects": tables.effects(record.effects, marked),
            "slices": slices.of_verification(record),
            "unmeasured": [formats.coded(text) for text in unmeasured.of_verification(record)],
            "methods": methods.of_verification(record),
            "citing": methods.citing(record.made_by),
            "facts": facts(record.model, after, record, record.made_by),
            "provenance_cards": provenance(record.before),
            "command": command.verify_command(record),
        }
        | _flips(record, texts=texts)
        | _common()
    )


def _flips(record: Verification, *, texts: bool) -> dict[str, Any]:
    """The items that changed sides, and what is said of their texts."""
    found, why = item_texts.texts(record.before) if texts else ({}, [item_texts.REDACTED])
    return {"flips": flips.flips(record, found), "flip_notes": [formats.coded(text) for text in why]}


def measurements(records: Sequence[Measurement]) -> Mapping[str, Any]:
    """The variables of ``measurements.html.j2``."""
    first = records[0]
    parts = [
        (m, [tables.metrics(m), *equal.shown(m)], _alone(m, place), _people(m, place), *_notes(m),
         slices.of_measurement(m))
        for place, m in enumerate(records)
    ]  # fmt: skip
    return {
        "title": f"Measurements of {first.model.uri}",
        "model": first.model,
        "treatment": first.treatment,
        "limited": any(m.protocol.limited for m in records),
        "parts_list": parts,
        "equal_note": equal.NOTE,
        "unmeasured": [formats.coded(text) for text in unmeasured.of_measurements(records)],
        "methods": methods.of_measurements(records),
        "citing": methods.citing(first.made_by),
        "facts": facts(first.model, None, None, first.made_by),
        "provenance_cards": provenance(records),
        "cards": summary.of_measurements(records),
        "lead": summary.measured_sentence(records),
        "next_step": formats.coded(summary.measured_step(records)),
        "command": command.measure_command(records),
    } | _common()


def located(uri: str, locations: Sequence[Attribution]) -> Mapping[str, Any]:
    """The variables of ``location.html.j2``: the block map of one model, and no verdict."""
    first = locations[0]
    return (
        {
            "title": f"Where the bias of {uri} is located",
            "uri": uri,
            "lead": sentences.located(first),
            "next_step": formats.coded(advice.after_location(uri, first)),
            "map": sites.of(locations),
            "no_interval": sites.NO_INTERVAL,
            "facts": (("model", uri), *formats.flat(first.details), ("made by", line(first.made_by))),
        }
        | _common()
        | {"limitations": sentences.of_location()}
    )


def _notes(measurement: Measurement) -> tuple[list[str], list[str]]:
    """Why some of its figures are marked, and its other notes."""
    said = doubted.sentences(doubted.of([measurement]))
    return said, doubted.others(measurement.notes, said)


def _common() -> dict[str, Any]:
    return {
        "limitations": sentences.LIMITATIONS,
        "limited_text": sentences.LIMITED,
        "limited_why": sentences.LIMITED_WHY,
        "version": __version__,
    }


def _alone(measurement: Measurement, place: int) -> Bias | None:
    has_groups = len(shares.groups(measurement)) >= 2 and shares.gap(measurement) is not None
    return bias(measurement, None, f"-{place}") if has_groups else None


def _people(measurement: Measurement, place: int) -> Plot | None:
    return decisions(measurement, None, f"-{place}") if decided.is_decided(measurement) else None


def headlines(record: Verification) -> list[Effect]:
    """What the verdict is about, then of each benchmark the first figure and the primary one, in order."""
    about = subject(record)
    own = {(m.benchmark, name) for m in record.before for name in (m.primary, next(iter(m.metrics), None))}
    found = [e for e in record.effects if (e.benchmark, e.metric) in own | {about}]
    return sorted(found, key=lambda e: (e.benchmark, e.metric) != about)


def bias(before: Measurement, after: Measurement | None, suffix: str = "") -> Bias:
    """Scales, shares per profession and the case study of one benchmark."""
    groups = shares.groups(before)
    rows = shares.rows(before, after)
    metric = shares.gap(before) or next(iter(before.metrics))
    title = tables.metric_title(metric)
    when = "" if after is None else ", before and after"
    by_scale = Plot(
        f"scales{suffix}",
        f"{title} by scale with 95 % intervals{when}{_way(metric, before)}.",
        figures.by_slice(before, after, metric),
        tables.by_slice(before, after, metric),
    )
    others = tuple(tables.by_slice(before, after, n) for n in shares.beside(before))
    names = tuple(shares.term(group) for group in groups)
    both = after is not None
    plot = _dumbbell(rows, names, both=both, suffix=suffix) if len(groups) == 2 else None
    study = tables.case_study(rows, groups, both=both) if tables.has_case_study(before) else None
    return Bias(before.benchmark, by_scale, others, plot, study, names)


def primaries(record: Verification, drawn: Measurement | None) -> tuple[tuple[str, Plot], ...]:
    """Benchmark and plot of what the verdict is about, then of every primary metric, before and after.

    The figure of `drawn` is left out, for the page shows it by scale already.
    """
    about = subject(record)
    own = [(m.benchmark, m.primary) for m in record.before if m.role == "bias" and m.primary is not None]
    shown = None if drawn is None else (drawn.benchmark, shares.gap(drawn))
    wanted = dict.fromkeys([*([about] if about else []), *own])
    sides = [{m.benchmark: m for m in side} for side in (record.before, record.after)]
    pairs = [(one, [side.get(one[0]) for side in sides]) for one in wanted if one != shown]
    return tuple(
        (name, _primary(before, after, metric, place))
        for place, ((name, metric), (before, after)) in enumerate(pairs)
        if before is not None and after is not None and metric in before.metrics
    )


def _primary(before: Measurement, after: Measurement, metric: str, place: int) -> Plot:
    sliced = " by slice and" if shares.slice_keys(before, metric) else ""
    return Plot(
        f"primary-{place}",
        f"{tables.metric_title(metric)}{sliced} over all items with 95 % intervals, before and after"
        f"{_way(metric, before)}.",
        figures.by_slice(before, after, metric),
        tables.by_slice(before, after, metric),
    )


def _way(metric: str, measurement: Measurement) -> str:
    """Which way the metric is better, as the end of a sentence; empty for a descriptive one."""
    found = measurement.metrics.get(metric)
    way = tables.better(metric, None if found is None else found.ideal)
    return "" if way == "–" else f"; {way}"


def decisions(before: Measurement, after: Measurement | None, suffix: str = "") -> Plot:
    """The same people as members of each group."""
    found = decided.rows(before, after)
    when = "" if after is None else ", before and after"
    return Plot(
        f"decided{suffix}",
        "Mean probability of a favourable decision for the same people as members of each group, by their "
        f"true outcome, with 95 % intervals{when}.",
        figures.decided(found),
        decided.table(found),
    )


def _dumbbell(rows: Sequence[shares.Row], names: tuple[str, ...], *, both: bool, suffix: str) -> Plot:
    """Every cluster's share; with two sides the largest changes come first."""
    rows = shares.by_change(rows) if both else rows
    few = rows[: 2 * EACH] if both else shares.extremes(rows, EACH)
    every = rows[:MOST_DRAWN]
    when = ", before and after, the largest changes first" if both else ""
    share = f"P({names[1]}) as a share of P({names[0]}) + P({names[1]})"
    first = f"{2 * EACH} largest changes" if both else f"{EACH} lowest and {EACH} highest"
    return Plot(
        f"professions{suffix}",
        f"{share} for each of {len(rows)} professions{when}. One half is even, and best.",
        figures.dumbbell(few, names, both=both),
        tables.professions(rows, names, both=both),
        figures.dumbbell(every, names, both=both) if len(few) < len(rows) else None,
        (first, f"all {len(rows)}" if len(every) == len(rows) else f"the first {len(every)} of {len(rows)}"),
    )


def control(record: Verification, result: ControlResult) -> Mapping[str, Any]:
    """The table of the control models, and the picture of each family."""
    seen = controlled.scene(record, result)
    return {
        "families": [
            _family(result, place, seen) for place, family in enumerate(result.families) if family.points
        ],
        "absent": result.absent,
        "table": tables.families(result),
        "detectable": sentences.detectable_sentence(result),
        "delta": decimals.number(result.delta),
        "p_value": formats.p_value(result.p_value),
    }


def _family(result: ControlResult, place: int, seen: controlled.Scene) -> FamilyPicture:
    family = result.families[place]
    axes = {"loss": "loss of capability", "size": "size of the change"}
    panels = tuple(
        Panel(
            f"control-{place}-{by}",
            f"Bias ({seen.name}, lower is better) against {axes[by]}: {len(family.points)} models of "
            f"{family.family}, the base as a line, and the treated model with its intervals.",
            control_figures.panel(result, place, seen, by),
        )
        for by in controlled.axes_of(family, seen)
    )
    sign = control_figures.sign_of(place)
    return FamilyPicture(
        f"{sign} {family.family}", sentences.read_at(family), panels, controlled.points(family)
    )


def facts(
    model: ModelSpec, after: ModelSpec | None, record: Verification | None, made: MadeBy | None
) -> tuple[tuple[str, str], ...]:
    """Name and value of everything that identifies the run."""
    items: list[tuple[str, str]] = [
        ("model", model.uri),
        ("weights digest", model.digest),
        ("revision", model.revision or "–"),
        ("architecture", model.architecture or "–"),
        ("parameters", "–" if model.parameters is None else decimals.fixed(model.parameters, 0)),
        ("dtype", model.dtype or "–"),
    ]
    if model.origin is not None:
        items.append(("weights", model.origin))
    if after is not None:
        items.append(("digest of the treated model", after.digest))
    if record is not None:
        items += [("treatment", record.treatment), ("seed", str(record.seed))]
        items += [(f"proof: {name}", text) for name, text in formats.flat(record.proof)]
    return (*items, ("made by", line(made)))


def provenance(records: Sequence[Measurement]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """For each benchmark, name and value of what its card and its protocol say."""
    return tuple((m.benchmark, _card(m)) for m in records)


def _card(m: Measurement) -> tuple[tuple[str, str], ...]:
    return (
        ("what it is", m.card.title),
        ("version", m.card.version),
        ("source", m.card.source),
        ("licence", m.card.licence),
        ("card digest", m.card.digest or "–"),
        ("data digest", m.protocol.data),
        ("items", str(m.n)),
        ("scorer", m.protocol.scorer),
        ("normalisation", m.protocol.normalisation),
        ("template", m.protocol.template or "–"),
        ("dtype", m.protocol.dtype or "–"),
        ("seed", str(m.protocol.seed)),
        ("made by", line(m.made_by)),
    )
