"""Charts and tables of figures over time, from the points of `evenhand.monitor.history`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from evenhand.monitor.figures import Version
from evenhand.monitor.history import Point
from evenhand.monitor.indicators import INDICATORS, Indicator
from evenhand.monitor.service.pages._chart import Bound, Chart, Mark, Trace, draw, frame_of
from evenhand.monitor.service.pages._page import Table, figure
from evenhand.monitor.standing import Asked, Standing
from evenhand.monitor.watching import Alert

HISTORY = (
    "indicator", "group", "detail", "from day", "to day", "n", "value", "mean since the first day",
    "low", "high", "limits of",
)  # fmt: skip
LINES = 6  # of a chart: everybody, and the largest groups
_COMPARED = {
    ("selection_rate", "ratio"): "impact_ratio",
    ("selection_rate", "gap"): "dpd",
    ("true_positive_rate", "gap"): "equal_opportunity",
    ("error_rate", "gap"): "error_gap",
}
"""Of a tolerance of a share, the indicator that compares its groups."""


@dataclass(frozen=True)
class Curve:
    """A chart with the table that says the same: `head`, and `rows` of a period each."""

    indicator: str
    detail: str
    chart: Chart
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left_out: int


def name_of(group: str) -> str:
    """A group for people; an intersection with a cross between its values."""
    return group.replace("*", " × ") if group else "all"


def table_of(points: Iterable[Point]) -> Table:
    """The points as a table."""
    rows = [
        (
            INDICATORS[one.indicator].title, one.group or "all", one.detail, one.first, one.last, one.n,
            one.value, one.mean, one.low, one.high, "the period" if one.mean is None else "the mean",
        )
        for one in points
    ]  # fmt: skip
    return Table("history", HISTORY, rows)


def curves(
    points: Sequence[Point], asked: Sequence[Asked] = (), marks: Sequence[Mark] = ()
) -> dict[str, list[Curve]]:
    """The charts by the title of their indicator."""
    held: dict[tuple[str, str], dict[str, list[Point]]] = {}
    for one in points:
        held.setdefault((one.indicator, one.detail), {}).setdefault(one.group, []).append(one)
    found: dict[str, list[Curve]] = {}
    for (name, detail), groups in held.items():
        indicator = INDICATORS[name]
        found.setdefault(indicator.title, []).append(_curve(indicator, detail, groups, asked, marks))
    return found


def _curve(
    indicator: Indicator,
    detail: str,
    groups: dict[str, list[Point]],
    asked: Sequence[Asked],
    marks: Sequence[Mark],
) -> Curve:
    order = sorted(groups, key=lambda name: (name != "", -sum(one.n for one in groups[name]), name))
    drawn = order[:LINES]
    traces = [_trace(name_of(name), groups[name]) for name in drawn]
    bounds = _bounds(indicator, groups, asked)
    days = [day for own in groups.values() for one in own for day in (one.first, one.last)]
    values = [value for trace in traces for _, value in (*trace.spots, *trace.dots)]
    values += [value for one in bounds for _, value in one.spots]
    limits = [end for trace in traces for ends in trace.limits for end in ends if end is not None]
    frame = frame_of(days, values, limits)
    what = f"{indicator.title}{f' ({detail})' if detail else ''}"
    chart = draw(f"{what} over time", _about(groups, drawn, bounds), [*traces, *bounds], marks, frame)
    head, rows = _rows(groups, drawn)
    return Curve(indicator.name, detail, chart, head, rows, len(order) - len(drawn))


def _trace(name: str, points: Sequence[Point]) -> Trace:
    spots = [(one.last, one.value if one.mean is None else one.mean) for one in points]
    limits = [(one.low, one.high) for one in points]
    dots = [(one.last, one.value) for one in points] if points[0].mean is not None else []
    return Trace(name, spots, limits, dots)


def _bounds(indicator: Indicator, groups: dict[str, list[Point]], asked: Sequence[Asked]) -> list[Bound]:
    """The tolerances that concern this indicator: level where it compares, else beside the highest mean."""
    found: dict[str, Bound] = {}
    for one in asked:
        text = f"tolerated {'gap' if one.kind == 'gap' else 'ratio'} of {one.limit:g} ({one.scope.rule})"
        if _COMPARED.get((one.indicator, one.kind)) == indicator.name and "" in groups:
            found[text] = Bound(text, [(point.last, one.limit) for point in groups[""]])
        elif one.indicator == indicator.name:
            spots = _lowest(groups, one)
            if spots:
                found[text] = Bound(f"{text}, below the highest mean", spots)
    return list(found.values())


def _lowest(groups: dict[str, list[Point]], asked: Asked) -> list[tuple[date, float]]:
    highest: dict[date, float] = {}
    for name, points in groups.items():
        for one in points:
            if name and one.mean is not None:
                highest[one.last] = max(highest.get(one.last, 0.0), one.mean)
    limit = asked.limit
    return [
        (day, max(top - limit, 0.0) if asked.kind == "gap" else limit * top)
        for day, top in sorted(highest.items())
    ]


def _about(groups: dict[str, list[Point]], drawn: Sequence[str], bounds: Sequence[Bound]) -> str:
    """What the chart says, in sentences: the last value of each line."""
    said = []
    for name in drawn:
        last = groups[name][-1]
        value = last.value if last.mean is None else last.mean
        ends = "" if last.low is None else f", limits {figure(last.low)} to {figure(last.high)}"
        said.append(f"{name_of(name)} on {last.last}: {figure(value)}{ends}.")
    said += [f"Dashed: {one.name}." for one in bounds]
    return " ".join(said)


def _rows(groups: dict[str, list[Point]], drawn: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    by_day = {name: {(one.first, one.last): one for one in groups[name]} for name in drawn}
    days = sorted({day for own in by_day.values() for day in own})
    rows = []
    for first, last in days:
        cells = [_cell(by_day[name].get((first, last))) for name in drawn]
        rows.append([f"{first}" if first == last else f"{first} to {last}", *cells])
    return ["Days", *(name_of(name) for name in drawn)], rows


def _cell(point: Point | None) -> str:
    if point is None:
        return "–"
    ends = "" if point.low is None else f" [{figure(point.low)}, {figure(point.high)}]"
    if point.mean is None:
        return f"{figure(point.value)}{ends}, n {figure(point.n)}"
    return f"{figure(point.value)}; mean {figure(point.mean)}{ends}, n {figure(point.n)}"


# ---- what stands beside the figures -----------------------------------------------------------------------


def releases(found: Iterable[Version], model: str) -> list[Mark]:
    """The first day of every version of a model."""
    return [
        Mark(one.first, f"version {one.version}: first event", "release")
        for one in found
        if one.model == model and one.first is not None
    ]


def alert_marks(
    found: Iterable[Alert], remembered: Standing, place: tuple[str, str, str], attribute: str
) -> list[Mark]:
    """When alerts of a use case, model and version (empty: all) by an attribute were raised."""
    rules = {one.scope.rule for one in remembered.asked if one.crossed == attribute}
    marks = [
        Mark(one.since.date(), f"alert: {one.rule}, {' and '.join(one.groups or ())}", "alert")
        for one in found
        if one.status == "alert"
        and one.since is not None
        and one.rule in rules
        and _is_at(place, (one.use_case, one.model, one.version))
    ]
    for done in remembered.answered:
        at = (done.scope.use_case, done.scope.model, done.scope.version)
        if done.scope.rule in rules and _is_at(place, at):
            text = f"alert: {done.scope.rule}, {' and '.join(done.groups)}, answered {done.ended.date()}"
            marks.append(Mark(done.raised.date(), text, "alert"))
    return marks


def _is_at(place: tuple[str, str, str], at: tuple[str, str, str]) -> bool:
    return place[:2] == at[:2] and place[2] in ("", at[2])


def asked_at(remembered: Standing, place: tuple[str, str, str], attribute: str) -> list[Asked]:
    """The tolerances of a use case, model and version (empty: all) by an attribute, each once."""
    found: dict[tuple[str, str, float], Asked] = {}
    for one in remembered.asked:
        at = (one.scope.use_case, one.scope.model, one.scope.version)
        if one.crossed == attribute and _is_at(place, at):
            found[one.indicator, one.kind, one.limit] = one
    return list(found.values())
