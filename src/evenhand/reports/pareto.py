"""Bias against capability: one plot for each model, each cell a point with its intervals on both axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenhand.decimals import number
from evenhand.records import Estimate, Value, Verification
from evenhand.reports import formats, leading, sentences
from evenhand.reports.figures import MUTED, Figure, axis, label, layout, rounded
from evenhand.reports.tables import Table
from evenhand.studies.distance import distance_of
from evenhand.studies.grid import table as tidy
from evenhand.studies.grid.result import Outcome

TONES = {"good": "circle", "mixed": "diamond", "bad": "x", "neutral": "circle-open"}
SIGNS = {"good": "●", "mixed": "◆", "bad": "✕", "neutral": "○"}
COLOURS = {tone: f"var(--{tone})" for tone in TONES}


@dataclass(frozen=True, slots=True)
class Point:
    """One cell: its number in the plot, the bias after it and the loss of capability, both with intervals.

    `tone` stands for its verdict; `front` says that no other point has less of both.
    """

    number: int
    name: str
    verdict: str
    tone: str
    bias: Estimate
    loss: Estimate
    front: bool = False


def points(outcomes: Sequence[Outcome]) -> list[Point]:
    """The done cells of one model whose bias and capability were measured, numbered from 1."""
    found: list[Point] = []
    several = len({o.cell.seed for o in outcomes}) > 1
    joint = is_joint(outcomes)
    for outcome in outcomes:
        record = outcome.record
        effect = None if record is None else leading.about(record)
        loss = None if record is None else _loss(record, joint=joint)
        if record is None or effect is None or loss is None:
            continue
        bias = distance_of(effect).estimate(effect.after)
        if bias.value is None or loss.value is None:
            continue
        name = f"{outcome.cell.mitigation}{f', seed {outcome.cell.seed}' if several else ''}"
        tone = sentences.TONES[record.verdict]
        found.append(Point(len(found) + 1, name, str(record.verdict), tone, bias, loss))
    front = on_front([(one.bias.value, one.loss.value) for one in found])
    return [
        Point(one.number, one.name, one.verdict, one.tone, one.bias, one.loss, is_front)
        for one, is_front in zip(found, front, strict=True)
    ]


def is_joint(outcomes: Sequence[Outcome]) -> bool:
    """Whether every done cell gives its loss over all capability benchmarks together, in SDs of their items.

    Otherwise the one check stands for them that `evenhand.studies.grid.table.capability_loss` names.
    """
    done = [o.record for o in outcomes if o.record is not None]
    return all(record.control is not None and record.control.loss is not None for record in done)


def _loss(record: Verification, *, joint: bool) -> Estimate | None:
    if joint:
        return None if record.control is None else record.control.loss
    check = tidy.capability_loss(record)
    return None if check is None else check.loss


def on_front(pairs: Sequence[tuple[Value, Value]]) -> list[bool]:
    """Of each (bias, loss) whether no other pair is at most as large in both and smaller in one."""
    known = [(a or 0.0, b or 0.0) for a, b in pairs]
    return [not any(x <= a and y <= b and (x, y) != (a, b) for x, y in known) for a, b in known]


def figure(found: Sequence[Point], base: Value, margin: Value, axes: tuple[str, str]) -> Figure:
    """The plot: loss of capability to the right, bias upwards, the base dotted; best at the lower left.

    `axes` are the titles of both.
    """
    data = [_trace(found, tone) for tone in TONES if any(one.tone == tone for one in found)]
    shapes = [_line({"y0": base, "y1": base, "x0": 0, "x1": 1, "xref": "paper"})] if base is not None else []
    shapes += [
        _line({"x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper"}) for x in (0.0, margin) if x is not None
    ]
    drawn = layout(
        420,
        margin={"l": 8, "r": 16, "t": 12, "b": 44},
        xaxis=axis(title={"text": label(axes[0])}, zeroline=False),
        yaxis=axis(title={"text": label(axes[1])}, range=_reach_of(found, base), zeroline=False),
        shapes=shapes,
        showlegend=False,
    )
    return {"data": data, "layout": drawn}


def _reach_of(found: Sequence[Point], base: Value) -> list[float]:
    """The ends of the axis of the bias: 0 and the base are in it."""
    ends = [
        0.0,
        base or 0.0,
        *(end for one in found for end in (one.bias.low, one.bias.high, one.bias.value) if end),
    ]
    low, high = min(ends), max(ends)
    room = 0.08 * (high - low)
    return [round(low - room, 6), round(high + room, 6)]


def _line(where: dict[str, object]) -> Figure:
    return {"type": "line", "line": {"color": MUTED, "dash": "dot", "width": 1}, **where}


def _trace(found: Sequence[Point], tone: str) -> Figure:
    own = [one for one in found if one.tone == tone]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": own[0].verdict,
        "x": [rounded(one.loss.value) for one in own],
        "y": [rounded(one.bias.value) for one in own],
        "text": [str(one.number) for one in own],
        "textposition": "top right",
        "customdata": [label(f"{one.name}: {one.verdict}") for one in own],
        "error_x": _reach([one.loss for one in own], COLOURS[tone]),
        "error_y": _reach([one.bias for one in own], COLOURS[tone]),
        "marker": {"color": COLOURS[tone], "size": 11, "symbol": TONES[tone], "line": {"width": 2}},
        "hovertemplate": "%{customdata}<br>bias %{y:.3f}, loss %{x:.4f}<extra></extra>",
    }


def _reach(estimates: Sequence[Estimate], colour: str) -> Figure:
    def far(one: Estimate, end: Value) -> Value:
        return None if end is None or one.value is None else rounded(abs(end - one.value))

    return {
        "type": "data",
        "symmetric": False,
        "array": [far(one, one.high) for one in estimates],
        "arrayminus": [far(one, one.low) for one in estimates],
        "color": colour,
        "thickness": 1.5,
    }


def table(found: Sequence[Point], caption: str) -> Table:
    """The points as a table, with the mark of each verdict and the front."""
    rows = tuple(
        (
            f"{one.number}. {one.name}",
            f"{SIGNS[one.tone]} {one.verdict}",
            "yes" if one.front else "no",
            formats.with_interval(one.bias),
            formats.with_interval(one.loss, signed=True),
        )
        for one in found
    )
    head = ("cell", "verdict", "on the front", "bias after [95 % interval]", "loss [90 % interval]")
    return Table(caption, head, rows, labels=3)


def front_sentence(found: Sequence[Point], base: Value) -> str:
    """Which cells are on the front, in words."""
    names = ", ".join(f"{one.number} ({one.name})" for one in found if one.front)
    return (
        f"The base has a bias of {number(base)}, the dotted horizontal line. No other cell has both less "
        f"bias and less loss than: {names}. That is about the points alone; where intervals overlap, the "
        "order is not settled."
    )
