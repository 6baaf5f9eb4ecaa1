"""Progress: silent until enabled, plain lines in a file, a live line on a terminal, never on stdout."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from evenhand import progress
from evenhand.progress import LiveLines, PlainLines, _Meter, duration, json_escape, task, visible


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _silent_again() -> Iterator[None]:
    yield
    progress.disable()


def test_silent_until_enabled(capsys: pytest.CaptureFixture[str]) -> None:
    with task("work", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_plain_lines_at_start_every_ten_seconds_and_at_the_end() -> None:
    clock, stream = Clock(), io.StringIO()
    with PlainLines(stream, clock).task("scoring", 120, "row") as advance:
        for _ in range(6):  # 6 steps of 10 rows in 4 s: lines after 12 s (30 rows) and 24 s (60 rows)
            clock.now += 4
            advance(10)
        clock.now += 1.5
    assert stream.getvalue().splitlines() == [
        "scoring: started (120 rows)",
        "scoring: 30 of 120 rows, 2.5 rows/s, about 36.0 s left",  # 90 rows left at 2.5 a second
        "scoring: 60 of 120 rows, 2.5 rows/s, about 24.0 s left",
        "scoring: done, 60 rows in 25.5 s",
    ]


def test_unknown_total_and_single_unit() -> None:
    clock, stream = Clock(), io.StringIO()
    with PlainLines(stream, clock).task("reading", None, "file") as advance:
        clock.now += 20
        advance(1)
    assert stream.getvalue().splitlines() == [
        "reading: started",
        "reading: 1 file, 20.0 s a file",
        "reading: done, 1 file in 20.0 s",
    ]


def test_short_nested_tasks_stay_silent_and_long_ones_are_indented() -> None:
    clock, stream = Clock(), io.StringIO()
    display = PlainLines(stream, clock)
    with display.task("outer", 2, "model") as advance:
        with display.task("short", 1, "row") as inner:
            inner(1)
        with display.task("long", 1, "row") as inner:
            clock.now += 10
            inner(1)
        advance(1)
    assert stream.getvalue().splitlines() == [
        "outer: started (2 models)",
        "  long: 1 of 1 row, 10.0 s a row, about 0.0 s left",
        "  long: done, 1 row in 10.0 s",
        "outer: 1 of 2 models, 10.0 s a model, about 10.0 s left",
        "outer: done, 1 model in 10.0 s",
    ]


def test_a_late_task_leaves_no_line_before_five_seconds() -> None:
    clock, stream = Clock(), io.StringIO()
    display = PlainLines(stream, clock)
    with display.task("comparing", 4, "metric", late=True) as advance:
        clock.now += 4.9
        advance(4)
    assert stream.getvalue() == ""
    with display.task("comparing", 40, "metric", late=True) as advance:
        for _ in range(
            8
        ):  # 2 metrics in 3 s each: lines after 6 s (past 5) and 18 s (10 s after the first: 16)
            clock.now += 3
            advance(2)
    assert stream.getvalue().splitlines() == [
        "comparing: 4 of 40 metrics, 1.5 s a metric, about 54.0 s left",  # 36 left at 1.5 s each
        "comparing: 12 of 40 metrics, 1.5 s a metric, about 42.0 s left",
        "comparing: done, 16 metrics in 24.0 s",
    ]


def test_a_late_task_inside_another_is_shown_after_five_seconds_too() -> None:
    clock, stream = Clock(), io.StringIO()
    display = PlainLines(stream, clock)
    with display.task("outer", 1, "model") as advance:
        with display.task("late", 2, "tensor", late=True) as inner:
            clock.now += 6
            inner(1)
            inner(1)
        advance(1)
    assert stream.getvalue().splitlines() == [
        "outer: started (1 model)",
        "  late: 1 of 2 tensors, 6.0 s a tensor, about 6.0 s left",
        "  late: done, 2 tensors in 6.0 s",
        "outer: done, 1 model in 6.0 s",
    ]


def test_an_error_passes_through_and_says_stopped() -> None:
    stream = io.StringIO()
    display = PlainLines(stream, Clock())
    with pytest.raises(ValueError, match="broken"), display.task("work", 2, "row"):
        raise ValueError("broken")
    assert stream.getvalue().splitlines()[-1] == "work: stopped, 0 rows in 0.0 s"
    with display.task("next", None, "row"):  # the depth is back at 0: this one is outermost again
        pass
    assert "next: started" in stream.getvalue()


def test_enable_writes_to_stderr_only(capsys: pytest.CaptureFixture[str]) -> None:
    progress.enable()
    with task("work", 1) as advance:
        advance(1)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("work: started (1 item)\nwork: done, 1 item in ")


def test_live_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    progress.enable(stream)
    with task("outer [1/2]", 2, unit="model") as advance:
        with task("inner", 5, unit="row") as inner:
            inner(5)
        advance(2)
    shown = stream.getvalue()
    assert "outer [1/2]" in shown  # square brackets are text, not markup
    assert "2/2" in shown
    assert "models/s" in shown


def test_a_late_task_on_a_terminal_waits_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    clock, stream = Clock(), Terminal()
    display = LiveLines(stream, clock)
    with display.task("short", 2, "line", late=True) as advance:
        clock.now += 4.9
        advance(2)
    assert stream.getvalue() == ""
    with display.task("long", 4, "line", late=True) as advance:
        clock.now += 8
        advance(2)
    assert "long" in stream.getvalue()
    assert "2/4" in stream.getvalue()
    assert "4.0 s a line" in stream.getvalue()  # 2 in 8 s


def test_live_tasks_can_follow_each_other() -> None:
    stream = Terminal()
    progress.enable(stream)
    for name in ("first", "second"):
        with task(name, 1) as advance:
            advance(1)
    assert "second" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (3.21, "3.2 s"), (59.96, "1 min 00 s"), (245, "4 min 05 s"), (3725, "1 h 02 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_import_needs_no_rich() -> None:
    code = "import sys, evenhand.progress; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Clears the screen, goes back to the line's start, sets the title, turns the text around, hides a text.
HOSTILE = "a\x1b[2Jb\rc\x1b]0;t\x07d\x9b1me\u202ef\u2066g\x7fh\u2028i\udc80j\U000e0041"


def test_what_a_terminal_would_obey_is_shown() -> None:
    shown = visible(HOSTILE)
    assert shown == (r"a\x1b[2Jb\x0dc\x1b]0;t\x07d\x9b1me\u202ef\u2066g\x7fh\u2028i\udc80j\U000e0041")
    assert shown.isprintable()


@pytest.mark.parametrize("text", ["plain", "a\tb\nc", "café “☃” 🙂", "שלום", "a\u200db", r"C:\x1b"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_json_reads_back_unchanged() -> None:
    data = {"name": HOSTILE, "more": ["é\n", 1.5]}
    text = json_escape(json.dumps(data, ensure_ascii=False, indent=2))
    assert json.loads(text) == {**data, "name": HOSTILE}
    assert visible(text) == text
    assert "é" in text


def test_labels_cannot_steer_the_terminal() -> None:
    plain, live = io.StringIO(), Terminal()
    for stream in (plain, live):
        progress.enable(stream)
        with task(f"reading {HOSTILE}", 1) as advance:
            advance(1)
        progress.disable()
    assert r"reading a\x1b[2Jb\x0dc" in plain.getvalue()
    for steering in ("\x1b[2J", "\x1b]0;", "\x07", "\x9b", "\u202e"):
        assert steering not in plain.getvalue()
        assert steering not in live.getvalue()


def test_a_line_that_stays_is_written_where_the_tasks_are() -> None:
    stream = io.StringIO()
    progress.enable(stream)
    try:
        progress.say("It takes an hour.")
        with task("work", 2):
            progress.say("It takes two.")
    finally:
        progress.disable()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "It takes an hour."
    assert "  It takes two." in lines
    progress.say("Nobody hears this.")


@pytest.mark.parametrize(("unit", "several"), [("row", "rows"), ("pass", "passes"), ("batch", "batches")])
def test_several_units(unit: str, several: str) -> None:
    assert _Meter(16, unit).size() == f" (16 {several})"
    assert _Meter(1, unit).size() == f" (1 {unit})"
    half = _Meter(4, unit)
    half.done = 2
    assert half.rate(0.5) == f"4 {several}/s"
