"""``evenhand report``: show people and regulators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import console
from evenhand.cli.options import Json, Run

Html = Annotated[Path, typer.Option("--html", help="The file to write.")]


def report(run: Run, html: Html = Path("report.html"), as_json: Json = False) -> int:
    """Draw a stored run as one HTML file that needs no network."""
    from evenhand import reports

    reports.report(run, html)
    if as_json:
        console.emit({"run": str(run), "report": str(html)})
    else:
        console.say(f"Report: {html}")
    return 0
