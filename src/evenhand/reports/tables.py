"""The report's tables as rows of text, from the records."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from evenhand import decimals, registry
from evenhand.records import (
    Attribution,
    Check,
    ControlResult,
    Effect,
    Estimate,
    Measurement,
    Value,
)
from evenhand.reports import formats, sentences
from evenhand.reports.shares import SCALE, Row, slice_keys, term
from evenhand.studies.distance import relative_change
from evenhand.studies.fitness import doubts, is_about_words

if TYPE_CHECKING:
    from evenhand.metrics import Metric

CASE_STUDY = (
    "mobster",
    "nurse",
    "preacher",
    "caretaker",
    "footballer",
)  # the professions of LFTF's case study
CASE_STUDY_SOURCE = "Bolukbasi"  # whose professions they are, as a card names them
ABSENT = "not measured"
MOST_BLOCKS = 500  # rows of a table of blocks
MOST_CLUSTERS = 500  # rows of a table of clusters


@dataclass(frozen=True, slots=True)
class Table:
    """A table to display. The first `labels` columns are text, the others figures. `caption` is its title."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1


def metric_title(name: str) -> str:
    """The title on the metric's card, or its name when no such metric is installed."""
    found = installed_metric(name)
    return name if found is None else found.title


@cache
def installed_metric(name: str) -> Metric | None:
    """The metric `name`; None when none of this name is installed, or what it needs is missing."""
    found: Metric | None = registry.find("metric", name)
    return found


def better(name: str, ideal: Value) -> str:
    """The direction in which the metric `name` is better, given its benchmark's `ideal`; a dash for none.

    A benchmark may use a metric as descriptive (`ideal` None) that has an ideal elsewhere.
    """
    from evenhand.metrics import direction

    found = installed_metric(name)
    low, high = (None, None) if found is None else (found.low, found.high)
    return direction(ideal, low, high) or "–"


def short(better: str) -> str:
    """`better` for a column with the head "better": ``lower``, ``higher``, ``at 50``."""
    return better.removesuffix(" is better").removeprefix("best ")


def labelled(name: str, ideal: Value) -> str:
    """A metric's key and the better direction, for a plot's axis."""
    way = better(name, ideal)
    return name if way == "–" else f"{name} ({way})"


def metrics(measurement: Measurement, keys: Sequence[str] = ("",)) -> Table:
    """Every figure of one benchmark by the slices `keys` (``""``: all items); marked where it is in doubt."""
    doubted = doubts(measurement)
    parts = {"": measurement.metrics, **measurement.slices}
    rows = [
        _metric_row(name, key or "all", estimate, doubted=key in doubted and not is_about_words(name))
        for key in keys
        for name, estimate in parts[key].items()
    ]
    head = ("metric", "key", "slice", "value", "95 % interval", "better", "n")
    return Table(f"Every figure of {measurement.benchmark}", head, tuple(rows), labels=3)


def _metric_row(name: str, part: str, estimate: Estimate, *, doubted: bool) -> tuple[str, ...]:
    value, way = sentences.marked(decimals.number(estimate.value), doubted), better(name, estimate.ideal)
    return metric_title(name), name, part, value, formats.interval(estimate), way, formats.count(estimate)


def by_slice(before: Measurement, after: Measurement | None, name: str) -> Table:
    """The metric `name` by slice and over all items, before and after."""
    rows, keys = [], slice_keys(before, name)
    of_scale = all(key.startswith(SCALE) for key in keys)
    for key in [*keys, "all"]:
        old = _part(before, key, name)
        new = () if after is None else (formats.with_interval(_part(after, key, name)),)
        rows.append((key.removeprefix(SCALE), formats.with_interval(old), *new, formats.count(old)))
    columns = (
        ("value [95 % interval]",) if after is None else ("before [95 % interval]", "after [95 % interval]")
    )
    head = ("scale" if of_scale else "slice", *columns, "n")
    return Table(f"{metric_title(name)} ({name})", head, tuple(rows))


def _part(measurement: Measurement, key: str, name: str) -> Estimate:
    part = measurement.metrics if key == "all" else measurement.slices.get(key, {})
    return part.get(name, Estimate(None, None, None, 0))


def headlines(items: Sequence[Effect], doubted: Sequence[Container[str]]) -> Table:
    """The first figures of every benchmark, before and after; see `effects` for `doubted`."""
    rows = tuple(
        (e.benchmark, metric_title(e.metric), *marked_figures(e, doubted), better(e.metric, e.before.ideal))
        for e in items
    )
    head = ("benchmark", "metric", "before", "after", "change [95 % interval]", "better")
    return Table("The first figures of every benchmark", head, rows, labels=2)


def effects(items: Sequence[Effect], doubted: Sequence[Container[str]]) -> Table:
    """Every metric before and after, with the paired interval of the change and its p-value.

    `doubted` are the benchmarks whose figures before, and after, are unreliable; they are marked.
    """
    rows = tuple(
        (
            e.benchmark,
            metric_title(e.metric),
            e.metric,
            *marked_figures(e, doubted),
            formats.percent(relative_change(e.metric, e.before, e.change), signed=True),
            formats.p_value(e.p_value),
            better(e.metric, e.before.ideal),
            formats.count(e.change),
        )
        for e in items
    )
    head = ("benchmark", "metric", "key", "before", "after", "change [95 % interval]", "relative", "p")
    return Table("Every effect", (*head, "better", "n"), rows, labels=3)


def marked_figures(e: Effect, doubted: Sequence[Container[str]]) -> tuple[str, str, str]:
    """Before, after and the change with its interval, each marked where a figure in it is in doubt."""
    old, new = (not is_about_words(e.metric) and e.benchmark in side for side in doubted)
    return (
        sentences.marked(decimals.number(e.before.value), old),
        sentences.marked(decimals.number(e.after.value), new),
        sentences.marked(formats.with_interval(e.change, signed=True), old or new),
    )


def checks(items: Sequence[Check], caption: str) -> Table:
    """Pre-registered limits and their results; each check's `reading` is shown below the table."""
    rows = tuple(
        (
            check.name,
            sentences.kept(check),
            decimals.number(check.before.value),
            decimals.number(check.after.value),
            decimals.number(check.loss.value, signed=True),
            decimals.number(check.loss.high, signed=True) if check.loss.high is not None else "–",
            decimals.number(check.margin),
        )
        for check in items
    )
    head = ("check", "outcome", "before", "after", "loss", "loss at most", "margin")
    return Table(caption, head, rows, labels=2)


def families(result: ControlResult) -> Table:
    """K and S of the control, one row for each family, and with which p an effect is claimed."""
    rows = tuple(
        (
            family.family,
            str(len(family.points)),
            sentences.read_at(family),
            formats.with_interval(family.capability_part),
            formats.with_interval(family.specific),
            formats.p_value(family.p_value),
            "–" if family.p_limit is None else f"{family.p_limit:g}",
        )
        for family in result.families
    )
    head = (
        "family",
        "models",
        "read",
        "part K with such a change",
        "part S beyond it",
        "p (S ≤ 0)",
        "claimed up to",
    )
    return Table(f"The control models, of the fall T = {formats.with_interval(result.total)}", head, rows)


def blocks(location: Attribution) -> Table:
    """Every block's score and rank, in order of depth; of very many the highest `MOST_BLOCKS`."""
    rank = {site: place for place, site in enumerate(location.ranking(), start=1)}
    shown = [s for s in location.scores if rank[s.site] <= MOST_BLOCKS]
    rows = tuple((s.site, decimals.number(s.value), str(rank[s.site])) for s in shown)
    few = f", the highest {MOST_BLOCKS} of {len(rank)}" if len(shown) < len(rank) else ""
    return Table(f"Scores of {location.locator} by block{few}", ("block", "score", "rank"), rows)


def professions(table: Sequence[Row], groups: Sequence[str], *, both: bool = True) -> Table:
    """Every cluster's share before and after, and its change; of very many the first `MOST_CLUSTERS`."""
    name = f"P({term(groups[1])}) share"
    columns = (f"{name} before", f"{name} after", "change") if both else (name,)
    rows = tuple(
        (
            row.cluster,
            decimals.number(row.share_before),
            *((decimals.number(row.share_after), decimals.number(row.change, signed=True)) if both else ()),
        )
        for row in table[:MOST_CLUSTERS]
    )
    few = f": the first {MOST_CLUSTERS} of {len(table)}" if len(table) > MOST_CLUSTERS else ""
    return Table(f"Every profession{few}", ("profession", *columns), rows)


def has_case_study(measurement: Measurement) -> bool:
    """Whether its professions may be those of the paper: the card of a language pack names others."""
    _, named, origin = measurement.card.source.partition("professions: ")
    return not named or origin.startswith(CASE_STUDY_SOURCE)


def case_study(table: Sequence[Row], groups: Sequence[str], *, both: bool = True) -> Table:
    """The mean probability of each group's term for the professions of the paper's case study."""
    found = {row.cluster: row for row in table}
    times = ("before", "after") if both else ("",)
    columns = tuple(f"P({term(group)}) {time}".strip() for time in times for group in groups)
    rows = []
    for name in CASE_STUDY:
        row = found.get(name)
        values = (ABSENT,) * len(columns)
        if row is not None:
            means = (*row.before, *(row.after if both else ()))
            values = tuple(decimals.number(value) for value in means)
        rows.append((name, *values))
    return Table("The case study", ("profession", *columns), tuple(rows))
