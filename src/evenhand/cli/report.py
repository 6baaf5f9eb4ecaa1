"""``evenhand report``: a stored run as an HTML report or as a result file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import console
from evenhand.cli.options import Json, Project, Run, Track
from evenhand.errors import UsageError

Html = Annotated[Path, typer.Option("--html", help="The file to write.")]


LmEval = Annotated[
    Path | None,
    typer.Option(
        "--lm-eval",
        help="Write the LM evaluation harness's results format instead: figures into a file (out.json), or "
        "figures and items into a folder (out).",
    ),
]


Card = Annotated[
    Path | None,
    typer.Option("--card", metavar="FILE", help="Write a model card for the hub instead (README.md)."),
]


def report(
    run: Run,
    *,
    html: Html = Path("report.html"),
    lm_eval: LmEval = None,
    card: Card = None,
    track: Track = None,
    project: Project = None,
    as_json: Json = False,
) -> int:
    """Write a stored run as one HTML file that needs no network, or export its figures."""
    from evenhand import reports

    if track is not None:
        from evenhand.publishing import tracking

        sent = tracking.track(run, track, project or tracking.PROJECT)
        if as_json:
            console.emit({"run": str(run), "tracker": track, "figures": len(sent.figures)})
        else:
            console.say(f"Logged with {track}: {len(sent.figures)} figures of {sent.name}.")
        return 0
    if project is not None:
        raise UsageError("--project names no tracker.", mend="Add --track mlflow, trackio or wandb.")
    if lm_eval is not None:
        from evenhand.reports.lm_eval import write

        written = write(run, lm_eval)
        if as_json:
            console.emit({"run": str(run), "lm_eval": str(written)})
        else:
            console.say(f"Results: {written}")
        return 0
    if card is not None:
        results = _write_card(run, card)
        if as_json:
            console.emit({"run": str(run), "card": str(card), "eval_results": results})
        else:
            console.say(f"Card: {card}")
        return 0
    reports.report(run, html)
    if as_json:
        console.emit({"run": str(run), "report": str(html)})
    else:
        console.say(f"Report: {html}")
    return 0


def _write_card(run: Path, place: Path) -> list[str]:
    """Write the card of a verification, and the results on the hub's data sets beside it; the results' paths.

    Raises:
        BadData: the run is no verification, or the file exists and is no unchanged card of evenhand's.
    """
    from evenhand.files import expanded, write_atomically
    from evenhand.outputs import UNSEALED, check_output_file, sealed
    from evenhand.publishing import card
    from evenhand.studies import store

    place = expanded(place)
    check_output_file(place, card.SIGN)
    record = store.load_verification(run)
    text = f"{card.card(record)}\n<!-- {UNSEALED} -->\n"
    write_atomically(place, sealed(text.encode("utf-8", "backslashreplace")))
    results = {place.parent / path: text for path, text in card.eval_results(record).items()}
    for path, text in results.items():
        write_atomically(path, text.encode())
    return [str(path) for path in results]
