"""The output of a verb: one JSON object for programs, or tables for people.

Everything passes through `progress.visible` here, so that external text cannot send terminal control codes.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from evenhand.progress import json_escape, visible

KEY = "key"  # the head of a column of names that users type elsewhere, and that are never broken
LEAST = 16  # characters; a narrower title column is left out
IN_FILES = 120
_results: list[TextIO] = []  # where results go while stdout points elsewhere; the last one is used


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
    """Let stdout and stderr print characters outside their encoding as escapes, instead of failing."""
    kept = [(stream, stream.errors) for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    for stream, _ in kept:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in kept:
            stream.reconfigure(errors=errors or "strict")


def emit(data: Mapping[str, Any]) -> None:
    """Print the one JSON object of this command, with its schema, and with what made it and when (UTC).

    A `made_by` in `data`, which knows the model's device, stands instead of this process's own.
    """
    from evenhand.provenance import made_by, now
    from evenhand.records import to_json
    from evenhand.schema import SCHEMA

    made = data.get("made_by") or to_json(made_by())
    data = {"schema": SCHEMA, **data, "made_by": {**made, "when": now()}}
    stream = _results[-1] if _results else sys.stdout
    # Other encodings than UTF-8 may lack a character; JSON's own escapes are ASCII.
    plain = "utf" not in (getattr(stream, "encoding", None) or "utf-8").lower()
    text = json.dumps(data, ensure_ascii=plain, allow_nan=False, indent=2)
    print(json_escape(text), file=stream, flush=True)


def flush() -> None:
    """Flush the buffered output.

    Raises:
        OSError: the device of stdout is full, or its reader has closed it.
    """
    stream = _results[-1] if _results else sys.stdout
    if stream is not None:
        stream.flush()


def abandon(stream: TextIO | None = None) -> None:
    """Discard what `stream` (None: the stream of results) cannot print, and all later output.

    Otherwise Python would try again at exit, and return its own exit code.
    """
    stream = stream or (_results[-1] if _results else sys.stdout)
    with contextlib.suppress(OSError, ValueError, AttributeError):  # no file behind it
        stream.flush()
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def say(text: str = "") -> None:
    """Print a line for people on stdout."""
    print(visible(text))


def warn(text: str) -> None:
    """Print a line on stderr, if it takes any."""
    try:
        print(visible(text), file=sys.stderr)
    except OSError:
        abandon(sys.stderr)


def one_paragraph(text: str) -> str:
    """`text` without line breaks: those within a user's value are written as the escape ``\\n``."""
    return text.replace("\n", "\\n")


def listing(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    head: Sequence[str],
    *,
    as_json: bool,
    absent: str = "",
) -> int:
    """Print what there is of a kind: all of each row as JSON under `name`, or a table of the columns `head`.

    `absent` stands where a row has None, and commas between the names of a list. The exit code is 0.
    """

    def text(value: object) -> str:
        if value is None:
            return absent
        return ", ".join(value) if isinstance(value, list) else str(value)

    if as_json:
        emit({name: rows})
    else:
        table(name, head, [[text(row[one]) for one in head] for row in rows], labels=len(head))
    return 0


def table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    labels: int = 1,
    spare: int | None = None,
) -> None:
    """Print a table on stdout; the first `labels` columns are text, the others figures.

    A column of keys is never broken. Only the column `spare` is wrapped to fit, so that keys and figures stay
    whole, and is left out where the terminal is too narrow for it. Cells are not interpreted as markup.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title, head = visible(title), [visible(name) for name in head]
    rows = [[visible(cell) for cell in row] for row in rows]
    console = Console(file=sys.stdout, highlight=False, width=_width())
    places = [*range(len(head))]
    fits = spare is not None and _room(head, rows, spare, console.width) >= LEAST
    if not fits and spare is not None:
        places.remove(spare)
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place in places:
        shown.add_column(
            Text(head[place]),
            justify="left" if place < labels else "right",
            overflow="fold",
            no_wrap=head[place] == KEY or (fits and place != spare),
        )
    for row in rows:
        shown.add_row(*(Text(row[place]) for place in places))
    console.print(
        Text(visible(title), style="bold")
    )  # not the table's own title, which would wrap to the table's width
    console.print(shown)


def _room(head: Sequence[str], rows: Sequence[Sequence[str]], spare: int, width: int) -> int:
    """The width left for the column `spare` by the other columns, with two characters between them."""
    others = [place for place in range(len(head)) if place != spare]
    return width - 2 * len(head) - sum(max(len(row[place]) for row in (head, *rows)) for place in others)


def _width() -> int | None:
    """The terminal's own width (None); in a file or a pipe, a width that holds every table's figures."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else IN_FILES
