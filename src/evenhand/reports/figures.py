"""Plots as plain plotly dictionaries: `data` and `layout`.

Colours are written ``var(--name)``: the report's script replaces them by the page's own colours, so one
figure works in light and dark mode. Labels are escaped, since plotly interprets some HTML in its texts.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from evenhand.decimals import fixed
from evenhand.records import Attribution, Estimate, Measurement, Value
from evenhand.reports.decided import Row as DecidedRow
from evenhand.reports.shares import Row, slice_keys
from evenhand.reports.tables import labelled

Figure = dict[str, Any]
BEFORE, AFTER, MUTED = "var(--before)", "var(--after)", "var(--muted)"
CELL = 0.94  # of the room of a cell: a line stays free between two


def layout(height: int, **more: Any) -> dict[str, Any]:
    """What all plots have in common, and `more`."""
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--ink)", "size": 13},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hoverlabel": {
            "bgcolor": "var(--card)",
            "bordercolor": "var(--line)",
            "font": {"color": "var(--ink)"},
        },
        "dragmode": False,
    }
    return base | more


def axis(**more: Any) -> dict[str, Any]:
    """An axis that cannot be dragged, and `more`."""
    return {
        "gridcolor": "var(--line)",
        "zerolinecolor": "var(--line)",
        "fixedrange": True,
        "automargin": True,
    } | more


def rounded(value: Value) -> Value:
    """A figure for a plot: six decimals."""
    return None if value is None else round(value, 6) + 0.0  # no minus sign before a zero


def label(text: str) -> str:
    """Text that plotly shows as it is written."""
    return html.escape(text, quote=False)


def by_slice(before: Measurement, after: Measurement | None, metric: str) -> Figure:
    """The metric by slice and over all items, before and after; an ideal other than 0 is dotted."""
    names, ideal = slice_keys(before, metric), _ideal(before, metric)
    ticks = [label(name.partition("=")[2] or name) for name in names] + ["all"]
    data = [_estimates(_parts(before, metric, names), "before", ticks, BEFORE, -0.12)]
    if after is not None:
        data.append(_estimates(_parts(after, metric, names), "after", ticks, AFTER, 0.12))
    positions = list(range(len(ticks)))
    drawn = layout(
        300,
        xaxis=axis(tickvals=positions, ticktext=ticks, range=[-0.5, len(ticks) - 0.5]),
        yaxis=axis(title={"text": label(labelled(metric, ideal))}, rangemode="tozero"),
        **({"shapes": [_ideal_line(ideal, len(ticks))]} if ideal else {}),
    )
    return {"data": data, "layout": drawn}


def _ideal_line(ideal: float, n: int) -> Figure:
    line = {"color": MUTED, "dash": "dot", "width": 1}
    return {"type": "line", "x0": -0.5, "x1": n - 0.5, "y0": ideal, "y1": ideal, "line": line}


def _ideal(measurement: Measurement, metric: str) -> Value:
    found = measurement.metrics.get(metric)
    return None if found is None else found.ideal


def decided(rows: Sequence[DecidedRow]) -> Figure:
    """Mean probability of a favourable decision for the same people as members of each group."""
    ticks = [label(row.name) for row in rows]
    both = any(row.after is not None for row in rows)
    data = [_estimates([row.before for row in rows], "before", ticks, BEFORE, -0.12 * both)]
    if both:
        data.append(
            _estimates([row.after for row in rows if row.after is not None], "after", ticks, AFTER, 0.12)
        )
    drawn = layout(
        320,
        xaxis=axis(
            tickvals=list(range(len(ticks))), ticktext=[tick.replace(", ", "<br>") for tick in ticks],
            range=[-0.5, len(ticks) - 0.5],
        ),
        yaxis=axis(title={"text": "P(favourable)"}, range=[-0.02, 1.02]),
    )  # fmt: skip
    return {"data": data, "layout": drawn}


def _parts(measurement: Measurement, metric: str, names: Sequence[str]) -> list[Estimate]:
    nothing = Estimate(None, None, None, 0)
    parts = [measurement.slices.get(name, {}).get(metric, nothing) for name in names]
    return [*parts, measurement.metrics.get(metric, nothing)]


def _estimates(
    estimates: Sequence[Estimate], name: str, ticks: Sequence[str], colour: str, shift: float
) -> Figure:
    def reach(estimate: Estimate, side: Value) -> Value:
        return None if side is None or estimate.value is None else rounded(abs(side - estimate.value))

    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [round(i + shift, 2) for i in range(len(estimates))],
        "y": [rounded(e.value) for e in estimates],
        "text": list(ticks),
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [reach(e, e.high) for e in estimates],
            "arrayminus": [reach(e, e.low) for e in estimates],
            "color": colour,
        },
        "marker": {"color": colour, "size": 10, "symbol": "circle" if name == "before" else "diamond"},
        "hovertemplate": f"%{{text}}, {name}: %{{y:.3f}}<extra></extra>",
    }


def dumbbell(table: Sequence[Row], groups: Sequence[str], *, both: bool = True) -> Figure:
    """One line for each profession from its share before to its share after, sorted by the share before."""
    names = [label(row.cluster) for row in table]
    places = list(range(len(table)))
    data = [_dots(table, names, "before", BEFORE)]
    if both:
        data = [_bars(table), *data, _dots(table, names, "after", AFTER)]
    drawn = layout(
        max(220, 90 + 17 * len(table)),
        margin={"l": 8, "r": 12, "t": 40, "b": 8},
        xaxis=axis(
            title={"text": f"share of P({groups[1]}), best at 0.5"},
            range=[-0.02, 1.02], tickvals=[0, 0.25, 0.5, 0.75, 1], side="top",
        ),
        yaxis=axis(tickvals=places, ticktext=names, range=[len(table) - 0.4, -0.6], tickfont={"size": 11}),
        shapes=[_even_line(len(table))],
        showlegend=False,
    )  # fmt: skip
    return {"data": data, "layout": drawn}


def _even_line(n: int) -> Figure:
    line = {"color": MUTED, "dash": "dot", "width": 1}
    return {"type": "line", "x0": 0.5, "x1": 0.5, "y0": -0.6, "y1": n - 0.4, "line": line}


def _bars(table: Sequence[Row]) -> Figure:
    xs: list[Value] = []
    ys: list[Value] = []
    for place, row in enumerate(table):
        xs += [rounded(row.share_before), rounded(row.share_after), None]
        ys += [place, place, None]
    return _line(xs, ys, {"color": "var(--line-strong)", "width": 3})


def _line(xs: Sequence[Value], ys: Sequence[Value], line: Figure) -> Figure:
    quiet = {"hoverinfo": "skip", "showlegend": False}
    return {"type": "scatter", "mode": "lines", "x": list(xs), "y": list(ys), "line": line} | quiet


def _dots(table: Sequence[Row], names: Sequence[str], name: str, colour: str) -> Figure:
    values = [row.share_before if name == "before" else row.share_after for row in table]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [rounded(value) for value in values],
        "y": list(range(len(table))),
        "text": list(names),
        "marker": {"color": colour, "size": 9, "symbol": "circle" if name == "before" else "diamond"},
        "hovertemplate": f"%{{text}}, {name}: %{{x:.3f}}<extra></extra>",
    }


def blocks(location: Attribution) -> Figure:
    """The locator's score of each block in order of depth; the highest one in its own colour."""
    top = location.top
    names = [label(score.site) for score in location.scores]
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": [rounded(score.value) for score in location.scores],
        "y": list(range(len(names))),
        "marker": {"color": [AFTER if s.site == top else MUTED for s in location.scores]},
        "text": ["top" if s.site == top else "" for s in location.scores],
        "textposition": "auto",
        "customdata": names,
        "hovertemplate": "%{customdata}: %{x:.4f}<extra></extra>",
    }
    drawn = layout(
        max(140, 60 + 22 * len(names)),
        xaxis=axis(title={"text": f"score of {label(location.locator)}"}),
        yaxis=axis(tickvals=list(range(len(names))), ticktext=names, autorange="reversed"),
        bargap=0.35,
    )
    return {"data": [bar], "layout": drawn}


def heat(
    blocks: Sequence[str], heads: Sequence[str], scores: Sequence[Sequence[Value]], locator: str
) -> Figure:
    """The locator's score of each head, `scores` [blocks][heads]: one hue on each side of 0."""
    most = max((abs(x) for row in scores for x in row if x is not None), default=0.0) or 1.0
    known = [
        (i, j, x) for i, row in enumerate(scores) for j, x in enumerate(row) if x is not None
    ]  # a cell of block i and head j
    cells = {  # bars, because plotly's basic bundle has no heat map
        "type": "bar",
        "x": [j for _, j, _ in known],
        "base": [i - CELL / 2 for i, _, _ in known],
        "y": [CELL for _ in known],
        "width": CELL,
        "customdata": [label(f"{blocks[i]}.head.{heads[j]}") for i, j, _ in known],
        "hovertext": [fixed(x, 4) for _, _, x in known],
        "marker": {
            "color": [BEFORE if x < 0 else AFTER for _, _, x in known],
            "opacity": [rounded(abs(x) / most) for _, _, x in known],
        },
        "hovertemplate": "%{customdata}: %{hovertext}<extra></extra>",
    }  # fmt: skip
    said = f"head; colour: score of {label(locator)}, full at {fixed(most)} and {fixed(-most)}"
    drawn = layout(
        max(180, 80 + 18 * len(blocks)),
        xaxis=axis(
            title={"text": said},
            showgrid=False,
            zeroline=False,
            tickvals=list(range(len(heads))),
            ticktext=list(heads),
        ),
        yaxis=axis(
            tickvals=list(range(len(blocks))),
            ticktext=[label(b) for b in blocks],
            range=[len(blocks) - 0.5, -0.5],
            showgrid=False,
            zeroline=False,
        ),
    )
    return {"data": [cells], "layout": drawn}
