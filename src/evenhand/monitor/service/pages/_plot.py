"""A chart as a figure of plotly: the lines of the SVG, with their values under the pointer.

Colours are named ``var(--x)`` after the style sheet, and the page's script puts in what they are, so that one
figure serves light and dark screens. Names are escaped: plotly reads some HTML in its texts.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from html import escape
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from evenhand.decimals import fixed
from evenhand.monitor.service.pages._chart import (
    BOTTOM,
    LEFT,
    RIGHT,
    STYLES,
    TOP,
    Bound,
    Chart,
    DrawnMark,
    Frame,
    Spot,
    Trace,
)

DASHES = ("solid", "solid", "8px,2px", "4px,2px", "9px,2px,2px,2px", "2px,2px")  # as in the style sheet
WIDEST, MOST = 36, 5  # characters of a line of a name under the pointer, and lines
SHORTEST = timedelta(hours=12)  # on both sides of a single day
# A name stands in `meta`, for plotly would read a template in it; and on lines of its own and between signs
# that set it apart, for one that is written from right to left would turn the figures round.
_SAYS = "%{meta}<br>%{x|%Y-%m-%d}: %{text}<extra></extra>"
_ISOLATED = "\u2068{}\u2069"
_TURNING = dict.fromkeys(
    (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x2028, 0x2029), "\ufffd"
)
_QUIET = {"hoverinfo": "skip", "showlegend": False}


def plot(chart: Chart) -> Markup:
    """The figure of `chart` as JSON, `data` and `layout` of plotly, for an attribute in single quotes."""
    data = [one for at, trace in enumerate(chart.traces) for one in _trace(trace, at % STYLES)]
    data += [_bound(one) for one in chart.levels]
    figure = {"data": data, "layout": _layout(chart)}
    return htmlsafe_json_dumps(figure, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def label(text: str) -> str:
    """A name as it is, on lines of its own; the end of a very long one is left out."""
    lines = textwrap.wrap(text.translate(_TURNING), WIDEST, max_lines=MOST, placeholder="…") or [""]
    return "<br>".join(_ISOLATED.format(escape(one, quote=False)) for one in lines)


def _trace(trace: Trace, style: int) -> Iterator[dict[str, Any]]:
    colour = f"var(--s{style})"
    if trace.outline:
        filled = {"fill": "toself", "fillcolor": colour, "opacity": 0.16, "line": {"width": 0}}
        yield _lines(trace.outline) | filled | _QUIET
    said = trace.said or [_said(value, at, trace.limits) for at, (_, value) in enumerate(trace.spots)]
    own = {"meta": label(trace.name), "text": said, "hovertemplate": _SAYS}
    line = {"color": colour, "width": 2, "dash": DASHES[style]}
    yield _lines(trace.spots) | own | {"line": line}
    if trace.single:
        marker = {"color": colour, "size": 5, "opacity": 0.55}
        yield _lines(trace.single) | {"mode": "markers", "marker": marker} | _dots_say(trace)


def _dots_say(trace: Trace) -> dict[str, Any]:
    """What a dot says: nothing where it is the line's own."""
    if not trace.dots:
        return _QUIET
    said = [f"{fixed(value)}, this period" for _, value in trace.dots]
    return {"meta": label(trace.name), "text": said, "hovertemplate": _SAYS}


def _said(value: float, at: int, limits: Sequence[tuple[float | None, float | None]]) -> str:
    low, high = limits[at] if at < len(limits) else (None, None)
    return fixed(value) if low is None or high is None else f"{fixed(value)} [{fixed(low)}, {fixed(high)}]"


def _bound(one: Bound) -> dict[str, Any]:
    line = {"color": "var(--bad)", "width": 1.5, "dash": "7px,4px"}
    return _lines(one.spots) | {"line": line} | _QUIET


def _lines(spots: Sequence[Spot]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [day.isoformat() for day, _ in spots],
        "y": [round(value, 6) for _, value in spots],
    }


def _layout(chart: Chart) -> dict[str, Any]:
    frame = chart.frame
    ticks = {
        "tickvals": [round(value, 6) for value, _ in frame.ticks],
        "ticktext": [text for _, text in frame.ticks],
    }
    axis = {"gridcolor": "var(--line)", "zeroline": False, "linecolor": "var(--line)"}
    return {
        "margin": {"l": LEFT, "r": RIGHT, "t": TOP, "b": BOTTOM},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 11, "color": "var(--soft)"},
        "hoverlabel": {
            "bgcolor": "var(--ground)",
            "bordercolor": "var(--soft)",
            "align": "left",
            "font": {"color": "var(--text)", "size": 12},
        },
        "hovermode": "closest",  # of several lines plotly would show other days under this one
        "showlegend": False,
        "xaxis": axis | {"type": "date", "range": _days(frame), "showgrid": False, "nticks": 4},
        "yaxis": axis | {"range": [frame.low, frame.high]} | (ticks if frame.named else {}),
        "shapes": [_upright(mark, frame) for mark in chart.marks],
        "annotations": [_letter(mark, frame) for mark in chart.marks],
    }


def _days(frame: Frame) -> list[str]:
    """Where the axis of days begins and ends; a single day has room on both sides."""
    first, last = (datetime.combine(day, time()) for day in (frame.first, frame.last))
    margin = timedelta() if first < last else SHORTEST
    return [(first - margin).isoformat(), (last + margin).isoformat()]


def _upright(mark: DrawnMark, frame: Frame) -> dict[str, Any]:
    day = frame.inside(mark.day).isoformat()
    return {
        "type": "line",
        "x0": day,
        "x1": day,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": _colour(mark), "width": 1, "dash": "solid" if mark.kind == "alert" else "dot"},
    }


def _letter(mark: DrawnMark, frame: Frame) -> dict[str, Any]:
    return {
        "x": frame.inside(mark.day).isoformat(),
        "xshift": round(mark.letter_x - mark.x, 1),
        "y": 1,
        "yref": "paper",
        "yanchor": "bottom",
        "text": mark.letter,
        "showarrow": False,
        "font": {"color": _colour(mark)},
    }


def _colour(mark: DrawnMark) -> str:
    return "var(--bad)" if mark.kind == "alert" else "var(--soft)"
