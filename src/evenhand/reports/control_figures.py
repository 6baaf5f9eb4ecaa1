"""The control models as a picture: for each family, bias against loss of capability and against size.

Every panel of a report has the same vertical range, so that families can be compared. Kinds of models differ
in shape as well as in colour: a print in black and white shows the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evenhand.records import ControlPoint, ControlResult, Estimate, FamilyResult
from evenhand.reports.controlled import Against, Scene, State, at, predicted, read_by, state_of
from evenhand.reports.figures import AFTER, BEFORE, MUTED, Figure, axis, label, layout, rounded

SHAPES = (
    ("circle", "●"),
    ("square", "■"),
    ("triangle-up", "▲"),
    ("star", "★"),
    ("pentagon", "⬟"),
    ("hexagon", "⬢"),
    ("triangle-down", "▼"),
)
_AXES: Mapping[Against, str] = {
    "loss": "loss of capability (SD)",
    "size": "size of the change (root nats)",
}


def sign_of(place: int) -> str:
    """The shape of the family at this place, as a character."""
    return SHAPES[place % len(SHAPES)][1]


def panel(result: ControlResult, place: int, seen: Scene, by: Against) -> Figure:
    """One family's models, the base, the treated model, and what the family predicts for one more model."""
    family = result.families[place]
    data = [*_models(family, place, by), *_prediction(family, seen, by), *_treated(seen, by)]
    drawn = layout(
        280,
        margin={"l": 8, "r": 8, "t": 8, "b": 40},
        xaxis=axis(title={"text": _AXES[by]}, rangemode="tozero", nticks=6),
        yaxis=axis(title={"text": f"bias: {label(seen.name)}", "standoff": 10}, range=_range(result, seen)),
        shapes=_base(seen),
        showlegend=False,
    )
    return {"data": data, "layout": drawn}


def _range(result: ControlResult, seen: Scene) -> list[float]:
    """From below 0, or the lowest, to above the highest of everything that any panel shows."""
    models = [point.bias for family in result.families for point in family.points]
    found = [predicted(family, seen) for family in result.families]
    ends = [end for one in (*found, seen.treated) for end in (one.value, one.low, one.high)]
    known = [x for x in (0.0, seen.base, *models, *ends) if x is not None]
    margin = 0.06 * (max(known) - min(known)) or 0.05
    return [round(min(known) - margin, 6), round(max(known) + margin, 6)]


def _models(family: FamilyResult, place: int, by: Against) -> list[Figure]:
    """A trace for each state that occurs: filled, open, or a cross."""
    symbol, colour = SHAPES[place % len(SHAPES)][0], f"var(--family{place % 4 + 1})"
    looks: dict[State, str] = {"used": symbol, "apart": f"{symbol}-open", "broken": "x-thin"}
    traces = []
    for state, shape in looks.items():
        points = [p for p in family.points if state_of(p, family) == state and at(p, by) is not None]
        if points:
            traces.append(_points(f"{family.family}, {state}", points, by, (shape, colour)))
    return traces


def _points(name: str, points: Sequence[ControlPoint], by: Against, look: tuple[str, str]) -> Figure:
    shape, colour = look
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(name),
        "x": [rounded(at(p, by)) for p in points],
        "y": [rounded(p.bias) for p in points],
        "customdata": [[p.dose, p.seed] for p in points],
        "marker": {"color": colour, "size": 9, "symbol": shape, "line": {"color": colour, "width": 2}},
        "hovertemplate": f"dose %{{customdata[0]:.3g}}, seed %{{customdata[1]}}: {by} %{{x:.3f}}, "
        f"bias %{{y:.3f}}<extra>{label(name)}</extra>",
    }


def _prediction(family: FamilyResult, seen: Scene, by: Against) -> list[Figure]:
    found, x = predicted(family, seen), seen.place(by).value
    if found.value is None or x is None or by != read_by(family):
        return []
    bars = {"color": MUTED, "thickness": 5, "width": 0}
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "one more model of the family",
            "x": [rounded(x)],
            "y": [rounded(found.value)],
            "marker": {"color": "var(--ink)", "size": 14, "symbol": "line-ew", "line": {"width": 2.5}},
            "error_y": _reach(found) | bars,
            "hovertemplate": "one more model of the family: bias %{y:.3f}<extra></extra>",
        }
    ]


def _treated(seen: Scene, by: Against) -> list[Figure]:
    place, found = seen.place(by), seen.treated
    if place.value is None or found.value is None:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "treated",
            "x": [rounded(place.value)],
            "y": [rounded(found.value)],
            "error_x": _reach(place),
            "error_y": _reach(found),
            "marker": {
                "color": AFTER, "size": 13, "symbol": "diamond",
                "line": {"color": "var(--ink)", "width": 1.5},
            },
            "hovertemplate": f"treated: {by} %{{x:.3f}}, bias %{{y:.3f}}<extra></extra>",
        }
    ]  # fmt: skip


def _reach(found: Estimate) -> Figure:
    if found.value is None or found.low is None or found.high is None:
        return {"visible": False}
    return {
        "type": "data",
        "symmetric": False,
        "array": [rounded(found.high - found.value)],
        "arrayminus": [rounded(found.value - found.low)],
        "color": AFTER,
        "thickness": 1.5,
    }


def _base(seen: Scene) -> list[Figure]:
    """The base as a line, and below it the band of falls that are too small to be relevant."""
    if seen.base is None:
        return []
    wide = {"xref": "paper", "x0": 0, "x1": 1, "layer": "below"}
    y = rounded(seen.base)
    band = {"y0": rounded(seen.base - seen.delta), "y1": y, "fillcolor": MUTED, "opacity": 0.22}
    return [
        {"type": "rect", "line": {"width": 0}, **wide, **band},
        {"type": "line", "y0": y, "y1": y, "line": {"color": BEFORE, "width": 2}, **wide},
    ]
