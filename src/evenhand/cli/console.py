"""What a verb prints: one JSON object for programs, or tables for people.

Everything passes through `progress.visible` here, so that no text from outside can steer the terminal.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from evenhand.progress import json_escape, visible

_results: list[TextIO] = []  # where results go while stdout points elsewhere; the last one counts


@contextlib.contextmanager
def only_json_on_stdout(wanted: bool) -> Iterator[None]:
    """With `wanted`, send everything that any library prints to stderr; `emit` still reaches stdout."""
    if not wanted:
        yield
        return
    _results.append(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _results.pop()


@contextlib.contextmanager
def any_text() -> Iterator[None]:
    """Let stdout and stderr print what their encoding cannot hold as an escape, instead of failing."""
    kept = [(stream, stream.errors) for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    for stream, _ in kept:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in kept:
            stream.reconfigure(errors=errors or "strict")


def emit(data: Mapping[str, Any]) -> None:
    """Print the one JSON object of this command."""
    stream = _results[-1] if _results else sys.stdout
    # In another encoding than UTF-8 a character may be lacking; JSON's own escapes are ASCII.
    plain = "utf" not in (getattr(stream, "encoding", None) or "utf-8").lower()
    text = json.dumps(data, ensure_ascii=plain, allow_nan=False, indent=2)
    print(json_escape(text), file=stream, flush=True)


def say(text: str = "") -> None:
    """Print a line for people on stdout."""
    print(visible(text))


def warn(text: str) -> None:
    """Print a line on stderr."""
    print(visible(text), file=sys.stderr)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, labels: int = 1) -> None:
    """Print a table on stdout; the first `labels` columns are text, the others figures.

    Nothing in the cells is read as markup.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(head):
        shown.add_column(Text(visible(name)), justify="left" if place < labels else "right", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(visible(cell)) for cell in row))
    console = Console(file=sys.stdout, highlight=False)
    console.print(
        Text(visible(title), style="bold")
    )  # not the table's own title, which would wrap to the table's width
    console.print(shown)
