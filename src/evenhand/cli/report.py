"""``evenhand report``: a stored run as an HTML report or as a result file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from evenhand.cli import console
from evenhand.cli.idle import refuse_idle
from evenhand.cli.options import Json, Project, Run, Track
from evenhand.errors import UsageError

DEFAULT = Path("report.html")
OUTPUTS: Mapping[str, str] = {  # what `report` writes, and how it is asked for
    "--html": "--html report.html",
    "--lm-eval": "--lm-eval out.json",
    "--card": "--card README.md",
    "--figures": "--figures FOLDER",
    "--track": "--track mlflow",
}
FITS: Mapping[str, str] = {  # the output that each further option is about
    "--texts": "--html",
    "--location": "--html",
    "--format": "--figures",
    "--project": "--track",
}
Html = Annotated[Path | None, typer.Option("--html", help=f"The file to write ({DEFAULT}).")]


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


Texts = Annotated[
    bool,
    typer.Option(
        "--texts",
        help="Show the items' texts, redacted otherwise; the benchmarks' data must be on this machine.",
    ),
]
Locations = Annotated[
    list[Path] | None,
    typer.Option("--location", metavar="FOLDER", help="A folder of `locate` to show beside; repeat it."),
]


class Picture(StrEnum):
    """A format of figures for papers."""

    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


Figures = Annotated[
    Path | None,
    typer.Option(
        "--figures",
        metavar="FOLDER",
        help="Write every plot into this folder instead, for a paper; Chromium draws them.",
    ),
]
PictureFormat = Annotated[
    Picture | None, typer.Option("--format", help="The format of --figures.", show_default="svg")
]


def report(
    run: Run,
    *,
    html: Html = None,
    lm_eval: LmEval = None,
    card: Card = None,
    texts: Texts = False,
    location: Locations = None,
    figures: Figures = None,
    format_: PictureFormat = None,
    track: Track = None,
    project: Project = None,
    as_json: Json = False,
) -> int:
    """Write a stored run as one HTML file that needs no network, or export its figures."""
    from evenhand import reports

    outputs = dict(zip(OUTPUTS, (html, lm_eval, card, figures, track), strict=True))
    _check_fit(run, outputs, dict(zip(FITS, (texts, location, format_, project), strict=True)))
    if track is not None:
        from evenhand.publishing import tracking

        sent = tracking.track(run, track, project or tracking.PROJECT)
        said = f"Logged with {track}: {len(sent.figures)} figures of {sent.name}."
        return _done({"run": str(run), "tracker": track, "figures": len(sent.figures)}, said, as_json)
    if lm_eval is not None:
        from evenhand.reports.lm_eval import write

        written = str(write(run, lm_eval))
        return _done({"run": str(run), "lm_eval": written}, f"Results: {written}", as_json)
    if figures is not None:
        from evenhand.reports.exporting import export

        files = [str(path) for path in export(run, figures, (format_ or Picture.SVG).value)]
        return _done({"run": str(run), "figures": files}, f"Figures: {', '.join(files)}", as_json)
    if card is not None:
        results = _write_card(run, card)
        found = {"run": str(run), "card": str(card), "eval_results": results}
        return _done(found, f"Card: {card}", as_json)
    place = html or DEFAULT
    reports.report(run, place, texts=texts, locations=location or ())
    return _done({"run": str(run), "report": str(place)}, f"Report: {place}", as_json)


def _check_fit(run: Path, outputs: Mapping[str, object], further: Mapping[str, object]) -> None:
    """Refuse several outputs, and options that are about another output than the one asked for.

    Raises:
        UsageError: there are such.
    """
    named = [name for name, value in outputs.items() if value is not None]
    if len(named) > 1:
        raise UsageError(
            f"{' and '.join(named)} are several outputs.",
            mend="Call `evenhand report` once for each of them.",
        )
    chosen = named[0] if named else "--html"
    for option, value in further.items():
        if FITS[option] != chosen:
            call = f"evenhand report {run} {OUTPUTS[FITS[option]]} {option} ..."
            refuse_idle(
                {option: value or None},
                chosen if named else "the page, which is written where no output is named",
                why=f"it is about {FITS[option]}",
                mend=f"Leave {option} out, or call: {call}",
            )


def _done(found: dict[str, Any], said: str, as_json: bool) -> int:
    """Print what was written, as JSON or as a sentence; the exit code."""
    if as_json:
        console.emit(found)
    else:
        console.say(said)
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
