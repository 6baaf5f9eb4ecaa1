"""Progress of long work: a live line with rate and ETA on a terminal, plain lines elsewhere.

All text that may be shown on a terminal passes through `visible`.

The library is silent until a surface (the command line) calls `enable`. Everything goes to stderr, so that
stdout stays free for results. Importing this module does not import rich; `enable` on a terminal does.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import TaskID

from evenhand.decimals import fixed, significant

Advance = Callable[[int], None]
EVERY = 10.0  # seconds between two plain lines of one task
LATE = 5.0  # seconds after which a task is shown that is expected to be short

# Characters that a terminal executes instead of showing them: C0 (but line feed and tab), DEL and C1, line
# and paragraph separators, marks of text direction, invisible tags, and halves of surrogate pairs, which no
# stream can write.
_EXECUTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """`text` with every character that a terminal would execute written as an escape, such as ``\\x1b``.

    Names of models, paths and texts of a server are untrusted: printed unchanged, they could clear the
    screen, overwrite a figure or reverse its digits.
    """
    return _EXECUTED.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def json_escape(text: str) -> str:
    """JSON `text` with the same characters as JSON's own escapes, so that it reads back unchanged."""
    return _EXECUTED.sub(lambda found: json.dumps(found.group())[1:-1], text)


class Display(Protocol):
    """Shows tasks; `task` has the arguments of the module's function of that name."""

    def task(
        self, label: str, total: int | None, unit: str, late: bool = False
    ) -> AbstractContextManager[Advance]:
        """Show one piece of work until the context ends."""
        ...

    def say(self, text: str) -> None:
        """Show one line that stays."""
        ...


class _Silent:
    @contextmanager
    def task(self, label: str, total: int | None, unit: str, late: bool = False) -> Iterator[Advance]:
        yield lambda amount: None

    def say(self, text: str) -> None:
        pass


class PlainLines:
    """Lines for a log file: the outermost task at its start and end, every task each `EVERY` seconds.

    A nested task that is shorter than `EVERY` leaves no line: a study runs hundreds of them. Neither does a
    late one that is shorter than `LATE`, wherever it stands.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._depth = 0

    @contextmanager
    def task(self, label: str, total: int | None, unit: str, late: bool = False) -> Iterator[Advance]:
        """Write lines about this task until the context ends, also when it ends with an error."""
        depth, start = self._depth, self._clock()
        meter = _Meter(total, unit)
        last_line = start - (EVERY - LATE if late else 0)  # the first line of a late task comes after LATE
        if depth == 0 and not late:
            self._say(depth, f"{label}: started{meter.size()}")

        def advance(amount: int) -> None:
            nonlocal last_line
            meter.done += amount
            now = self._clock()
            if now - last_line >= EVERY:
                last_line = now
                self._say(depth, f"{label}: {meter.state(now - start)}")

        self._depth += 1
        ended = "stopped"
        try:
            yield advance
            ended = "done"
        finally:
            self._depth -= 1
            taken = self._clock() - start
            if taken >= (LATE if late else EVERY) or (depth == 0 and not late):
                self._say(depth, f"{label}: {ended}, {meter.count()} in {duration(taken)}")

    def say(self, text: str) -> None:
        """Write the line."""
        self._say(self._depth, text)

    def _say(self, depth: int, text: str) -> None:
        print("  " * depth + visible(text), file=self._stream, flush=True)


class LiveLines:
    """One rich line a running task, with bar, count, rate and ETA; nested tasks vanish when they end."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            Remaining(),
            console=Console(file=stream),
        )
        self._clock = clock
        self._depth = 0

    @contextmanager
    def task(self, label: str, total: int | None, unit: str, late: bool = False) -> Iterator[Advance]:
        """Show this task until the context ends; the outermost one leaves its last line behind."""
        depth, start = self._depth, self._clock()
        meter = _Meter(total, unit)
        shown: list[TaskID] = []  # its line, once there is one

        def show() -> None:
            self._progress.start()  # does nothing if an outer task has started it
            shown.append(self._progress.add_task("  " * depth + visible(label), total=total, rate=""))

        def advance(amount: int) -> None:
            meter.done += amount
            elapsed = self._clock() - start
            if not shown and elapsed >= LATE:
                show()
            for line in shown:
                self._progress.update(line, completed=meter.done, rate=meter.rate(elapsed))

        if not late:
            show()
        self._depth += 1
        try:
            yield advance
        finally:
            self._depth -= 1
            if self._depth == 0 and self._progress.live.is_started:
                self._progress.stop()
            for line in shown:
                self._progress.remove_task(line)

    def say(self, text: str) -> None:
        """Write the line above those of the running tasks."""
        self._progress.console.print(visible(text), markup=False, highlight=False)


class _Meter:
    """How much of a task is done, in words."""

    def __init__(self, total: int | None, unit: str) -> None:
        self.total = total
        self.done = 0
        self._unit = unit
        self._plural = f"{unit}es" if unit.endswith(("s", "x", "ch", "sh")) else f"{unit}s"

    def _units(self, amount: int) -> str:
        return self._unit if amount == 1 else self._plural

    def size(self) -> str:
        return "" if self.total is None else f" ({self.total} {self._units(self.total)})"

    def count(self) -> str:
        return f"{self.done} {self._units(self.done)}"

    def rate(self, elapsed: float) -> str:
        if elapsed <= 0 or not self.done:
            return ""
        rate = self.done / elapsed
        return (
            f"{significant(rate)} {self._plural}/s" if rate >= 1 else f"{duration(1 / rate)} a {self._unit}"
        )

    def state(self, elapsed: float) -> str:
        of = self.count() if self.total is None else f"{self.done} of {self.total} {self._units(self.total)}"
        parts = [of, self.rate(elapsed)]
        if self.total is not None and self.done and elapsed > 0:
            left = max(0, self.total - self.done) * elapsed / self.done
            parts.append(f"about {duration(left)} left")
        return ", ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """A time span for people, such as ``3.2 s`` or ``4 min 05 s`` or ``1 h 02 min``."""
    if seconds < 59.95:
        return f"{fixed(seconds, 1)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


_display: Display = _Silent()


def enable(stream: TextIO | None = None) -> None:
    """Show progress from now on, on `stream` (stderr by default): live on a terminal, else plain lines."""
    global _display  # noqa: PLW0603
    target = sys.stderr if stream is None else stream
    if target is None:  # the process was started with stderr closed
        return
    _display = LiveLines(target) if target.isatty() else PlainLines(target)


def disable() -> None:
    """Show no progress from now on."""
    global _display  # noqa: PLW0603
    _display = _Silent()


def say(text: str) -> None:
    """Show one line that stays, such as how long the work ahead will take."""
    _display.say(text)


@contextmanager
def task(
    label: str, total: int | None = None, *, unit: str = "item", late: bool = False
) -> Iterator[Advance]:
    """Announce work of `total` units (None: not known); call the yielded function with each amount done.

    `unit` is a singular noun. Tasks nest. An error inside the context passes through. A task that is usually
    short is `late`: it is shown only when it advances after more than 5 seconds.
    """
    with _display.task(label, total, unit, late) as advance:
        yield advance
