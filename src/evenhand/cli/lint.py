"""``evenhand lint``: published tables checked against themselves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import console
from evenhand.cli.given import checked
from evenhand.cli.options import Json
from evenhand.errors import BadOption, GateFailed

Tables = Annotated[list[Path], typer.Argument(metavar="TABLE.csv...", help="CSV files with a header.")]


def _named(texts: list[str]) -> dict[str, list[str]]:
    """The columns of each meaning.

    Raises:
        BadOption: a text is not MEANING=COLUMN.
        UnknownName: there is no such meaning.
    """
    from evenhand.linting.meanings import check

    found: dict[str, list[str]] = {}
    for text in texts:
        meaning, sign, column = text.partition("=")
        if not sign or not meaning.strip() or not column.strip():
            raise BadOption(
                f"--columns {text!r} is not MEANING=COLUMN.", mend="Write for example: --columns dpd=M_dpd"
            )
        check(meaning.strip())
        found.setdefault(meaning.strip(), []).append(column.strip())
    return found


Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="MEANING=COLUMN",
        callback=checked(_named),
        help="What a column means where its name does not tell: dpd, deo, lms, ss, icat, n, count, rate, "
        "ratio, mean, total, part, low, high, before, after, change, label, none. Repeat it.",
    ),
]
People = Annotated[
    int | None,
    typer.Option("--n", min=1, help="People or items behind every rate, where no column says it."),
]


def lint(tables: Tables, columns: Columns = None, n: People = None, as_json: Json = False) -> int:
    """Find what cannot be right in published tables: copies, exchanged columns, impossible figures.

    The exit code is 1 when a fault is found.
    """
    from evenhand.linting import faults_of, opened
    from evenhand.records import to_json

    named = _named(columns or [])
    sheets = [(path, opened(path, named, n)) for path in tables]  # a file that cannot be read stops all
    found = [(path, fault) for path, sheet in sheets for fault in faults_of(sheet)]
    if as_json:
        meanings = {
            str(path): {name: one.meaning for name, one in sheet.meanings.items()} for path, sheet in sheets
        }
        faults = [{"table": str(path), **to_json(fault)} for path, fault in found]
        console.emit({"tables": meanings, "faults": faults})
    else:
        for path, fault in found:
            console.say(f"{path}: {fault.kind}: {fault.why}")
        counts = Counter(fault.kind for _, fault in found)
        told = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        rows = sum(len(sheet.texts) for _, sheet in sheets)
        tables_of = f"{len(sheets)} table{'s' * (len(sheets) != 1)}, {rows} rows"
        console.say(f"{tables_of}: {told or 'no fault found'}.")
    return GateFailed.exit_code if found else 0
