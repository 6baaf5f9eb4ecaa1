"""Charts as the numbers of an SVG: a template writes them, so that every text is escaped there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

WIDTH, HEIGHT = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 18, 24  # of the plot, from the edges
LETTER = 10  # the room of a letter over a mark
STYLES = 6  # colours and dashes of the style sheet
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Spot = tuple[date, float]


@dataclass(frozen=True)
class Trace:
    """A line: its `name`, its `spots`, limits around each (or None), and `dots` that no line joins; `said` of
    each spot where that is not its value."""

    name: str
    spots: Sequence[Spot]
    limits: Sequence[tuple[float | None, float | None]] = ()
    dots: Sequence[Spot] = ()
    said: Sequence[str] = ()

    @property
    def outline(self) -> list[Spot]:
        """The edge of its band: along the upper limits, and back along the lower ones; empty without two."""
        days = [day for day, _ in self.spots]
        pairs = [
            (day, low, high)
            for day, (low, high) in zip(days, self.limits, strict=False)
            if low is not None and high is not None
        ]
        upper = [(day, high) for day, _, high in pairs]
        lower = [(day, low) for day, low, _ in reversed(pairs)]
        return [*upper, *lower] if len(pairs) > 1 else []

    @property
    def single(self) -> Sequence[Spot]:
        """What is drawn as dots: those of its own, or its only spot, which no line would show."""
        return self.dots or (self.spots if len(self.spots) == 1 else ())


@dataclass(frozen=True)
class Bound:
    """A line that is no figure: a tolerance, level or moving."""

    name: str
    spots: Sequence[Spot]


@dataclass(frozen=True)
class Mark:
    """A day on which something happened."""

    day: date
    text: str
    kind: str  # "release" or "alert"


@dataclass(frozen=True)
class Frame:
    """Where the axes end: the days, and the values with their ticks (place and text); `named` says that the
    texts are not the places, and that there are no others between them."""

    first: date
    last: date
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    named: bool = False

    def inside(self, day: date) -> date:
        """The day, or the first or last one where it lies outside."""
        return min(max(day, self.first), self.last)

    def x(self, day: date) -> float:
        """The place of a day; days outside lie on the edge."""
        span = max((self.last - self.first).days, 1)
        share = min(max((day - self.first).days / span, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """The place of a value; those outside lie on the edge."""
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


@dataclass(frozen=True)
class Drawn:
    """A trace or a bound as drawn."""

    name: str
    style: int
    line: str = ""
    band: str = ""
    dots: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class DrawnMark:
    """A mark as drawn: its line at `x`, and its `letter`, which names it in the list below, at `letter_x`."""

    x: float
    letter_x: float
    letter: str
    day: date
    text: str
    kind: str


@dataclass(frozen=True)
class Chart:
    """A chart as drawn, with its `title` and what a screen reader says (`about`), and what it was drawn of:
    `traces`, `levels` and `frame`; `earlier` marks are left out."""

    title: str
    about: str
    traces: Sequence[Trace]
    levels: Sequence[Bound]
    frame: Frame
    earlier: int
    lines: Sequence[Drawn]
    bounds: Sequence[Drawn]
    marks: Sequence[DrawnMark]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    box: tuple[int, int, int, int] = field(default=(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM))
    size: tuple[int, int] = (WIDTH, HEIGHT)


def draw(
    title: str, about: str, lines: Sequence[Trace | Bound], marks: Sequence[Mark], frame: Frame
) -> Chart:
    """The chart of traces and bounds in a frame."""
    traces = [one for one in lines if isinstance(one, Trace)]
    levels = [one for one in lines if isinstance(one, Bound)]
    return Chart(
        title,
        about,
        traces,
        levels,
        frame,
        max(0, len(marks) - len(_LETTERS)),
        [_trace(frame, one, at % STYLES) for at, one in enumerate(traces)],
        [Drawn(one.name, 0, _joined(frame, one.spots)) for one in levels],
        _marks(frame, marks),
        _days(frame),
        [(frame.y(value), text) for value, text in frame.ticks],
    )


def _trace(frame: Frame, trace: Trace, style: int) -> Drawn:
    places = [(frame.x(day), frame.y(value)) for day, value in trace.single]
    return Drawn(trace.name, style, _joined(frame, trace.spots), _joined(frame, trace.outline), places)


def _joined(frame: Frame, spots: Iterable[Spot]) -> str:
    return " ".join(f"{frame.x(day)},{frame.y(value)}" for day, value in spots)


def _marks(frame: Frame, marks: Sequence[Mark]) -> list[DrawnMark]:
    own = sorted(marks, key=lambda one: one.day)[-len(_LETTERS) :]
    xs = [frame.x(one.day) for one in own]
    return [
        DrawnMark(x, letter_x, letter, one.day, _said(frame, one), one.kind)
        for x, letter_x, letter, one in zip(xs, apart(xs), _LETTERS, own, strict=False)
    ]


def apart(xs: Sequence[float]) -> list[float]:
    """The places of letters over lines at `xs`, in order: as near as they can be without covering another."""
    found: list[float] = []
    for x in xs:
        found.append(max(x, found[-1] + LETTER) if found else x)
    most: float = WIDTH - RIGHT
    for at in reversed(range(len(found))):
        found[at] = min(found[at], most)
        most = found[at] - LETTER
    return found


def _said(frame: Frame, mark: Mark) -> str:
    """The text of a mark; one that lies outside of the days says so, for it stands on the edge."""
    outside = "after" if mark.day > frame.last else "before" if mark.day < frame.first else ""
    return f"{mark.text} ({outside} the days drawn)" if outside else mark.text


def _days(frame: Frame) -> list[tuple[float, str]]:
    span = (frame.last - frame.first).days
    days = [frame.first + timedelta(days=round(span * at / 2)) for at in range(3 if span > 1 else 1 + span)]
    return [(frame.x(day), day.isoformat()) for day in days]


def frame_of(days: Sequence[date], values: Sequence[float], limits: Sequence[float] = ()) -> Frame:
    """The frame that holds these days and values with a margin, and nine tenths of the `limits` on each side:
    the first ones are wide. It does not go below 0 where nothing else does, nor above 1."""
    order = sorted(limits)
    cut = len(order) // 10
    inner = [*values, *order[cut : len(order) - cut]]
    low, high = min(inner), max(inner)
    margin = 0.12 * (high - low) or 0.1 * max(abs(high), 0.1)
    least, most = (0.0 if low >= 0 else -math.inf), (1.0 if low >= 0 and high <= 1 else math.inf)
    low, high = max(low - margin, least), min(high + margin, most)
    return Frame(min(days), max(days), low, high, ticks_of(low, high))


def ticks_of(low: float, high: float) -> list[tuple[float, str]]:
    """About five round numbers between two, with their texts."""
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [
        (at * step, f"{abs(at * step):.{places}f}" if at >= 0 else f"−{abs(at * step):.{places}f}")
        for at in range(first, last + 1)
    ]
