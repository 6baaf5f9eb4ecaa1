"""``evenhand report``: a stored run as an HTML report or as a result file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import console
from evenhand.cli.options import Json, Run

Html = Annotated[Path, typer.Option("--html", help="The file to write.")]


LmEval = Annotated[
    Path | None,
    typer.Option(
        "--lm-eval",
        help="Write the LM evaluation harness's results format instead: figures into a file (out.json), or "
        "figures and items into a folder (out).",
    ),
]


def report(run: Run, html: Html = Path("report.html"), lm_eval: LmEval = None, as_json: Json = False) -> int:
    """Write a stored run as one HTML file that needs no network, or export its figures."""
    from evenhand import reports

    if lm_eval is not None:
        from evenhand.reports.lm_eval import write

        written = write(run, lm_eval)
        if as_json:
            console.emit({"run": str(run), "lm_eval": str(written)})
        else:
            console.say(f"Results: {written}")
        return 0
    reports.report(run, html)
    if as_json:
        console.emit({"run": str(run), "report": str(html)})
    else:
        console.say(f"Report: {html}")
    return 0
