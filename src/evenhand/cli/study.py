"""``evenhand study``: many mitigations on many models from one file, cell by cell, in one table."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import console, given
from evenhand.cli.configured import Configured
from evenhand.cli.given import checked
from evenhand.cli.options import DataDir, Json, On, Out
from evenhand.decimals import fixed
from evenhand.errors import Inconclusive

if TYPE_CHECKING:
    from evenhand.studies.grid.result import StudyResult

app = typer.Typer(
    help="Compare many mitigations on many models; one TOML file names them (docs/studies.md).",
    no_args_is_help=True,
    rich_markup_mode=None,
)
REPORT = "report.html"
File = Annotated[Path, typer.Argument(metavar="FILE", help="The study's TOML file.")]
Place = Annotated[
    Path, typer.Argument(metavar="FILE|DIR", help="The study's TOML file, or the folder of its results.")
]


@app.command("run", cls=Configured, short_help="Run a study, or go on with one.")
def run(
    file: File,
    *,
    out: Out = None,
    on: On = None,
    part: Annotated[
        str | None,
        typer.Option(
            "--part",
            metavar="K/N",
            callback=checked(given.part),
            help="Run every Nth cell from the Kth on, beside other parts.",
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> int:
    """Run every cell (a model, a mitigation, a seed) that is not stored yet, then write table and report.

    The same command goes on after an interruption. A cell that fails is recorded with its error, and the
    others go on. The exit code is 0 where every cell is done, else 3.

    With --part table and report are left to the run without it, which reads what all parts stored.
    """
    from evenhand.studies.grid import running, table
    from evenhand.studies.grid.file import read_study

    place = running.study_folder(read_study(file), out)
    if part is not None:
        return _part(running.study(file, place, on=on, part=part), part, file, data_dir, as_json=as_json)
    _check_report(place)
    result = running.study(file, place, on=on)
    tables = table.write(result)
    return _shown(result, [*map(str, tables), str(_report(result))], as_json=as_json)


@app.command("plan", cls=Configured, short_help="Cells, models and minutes of a study.")
def plan(file: File, data_dir: DataDir = None, as_json: Json = False) -> int:
    """List what a study would run at most: verifications, models, rows and minutes.

    Each model is opened and asked some rows, to time it; nothing is fitted or stored.
    """
    from evenhand.records import to_json
    from evenhand.studies.grid import checking, planning

    found = checking.checked(file)
    planned = planning.study_plan(found)
    said = planning.sentence(planned, len(found.study.seeds))
    if as_json:
        console.emit(
            {
                "file": str(file),
                "cells": found.study.cells,
                "models": to_json(planned),
                "minutes": {"low": sum(p.low for p in planned), "high": sum(p.high for p in planned)},
                "budget": found.study.budget,
            }
        )
        return 0
    rows = [
        (p.model, str(p.cells), str(p.models), str(p.rows), fixed(p.low, 1), fixed(p.high, 1))
        for p in planned
    ]
    head = ("model", "cells", "models", "rows", "minutes from", "to")
    console.table("study plan", head, rows)
    console.say(said)
    for refusal in planning.refusals(planned):
        console.say(refusal)
    if found.study.budget is not None:
        console.say(f"No cell is begun after {found.study.budget:g} minutes; the same command goes on later.")
    return 0


@app.command("show", cls=Configured, short_help="What a study holds so far.")
def show(place: Place, data_dir: DataDir = None, as_json: Json = False) -> int:
    """Print the table of a study as it stands, and write table and report anew; no model is opened.

    Of a study that runs in parts it shows what they have done so far.
    """
    from evenhand.files import is_folder
    from evenhand.studies.grid import file, result, running, table

    folder = place if is_folder(place) else running.study_folder(file.read_study(place), None)
    found = result.load(folder)
    _check_report(folder)
    tables = table.write(found)
    return _shown(found, [*map(str, tables), str(_report(found))], as_json=as_json)


def _part(result: StudyResult, part: str, file: Path, data_dir: Path | None, *, as_json: bool) -> int:
    """Print what became of a part of a study; 0 where every cell of it is done, else 3."""
    done = sum(outcome.record is not None for outcome in result.outcomes)
    if as_json:
        cells = [
            {"cell": o.cell.name, "state": o.state.state, "error": o.state.error or None}
            for o in result.outcomes
        ]
        console.emit({"study": result.study.name, "folder": str(result.folder), "part": part, "cells": cells})
    else:
        for one in result.failed:
            console.say(f"{one.cell.name} failed: {one.state.error} {one.state.mend}".rstrip())
        console.say(f"Part {part}: {done} of {len(result.outcomes)} cells done in {result.folder}.")
        data = [] if data_dir is None else ["--data-dir", str(data_dir)]
        gather = shlex.join(["evenhand", "study", "run", str(file), "--out", str(result.folder), *data])
        console.say(f"When every part has ended: {gather}")
    return 0 if done == len(result.outcomes) else Inconclusive.exit_code


def _check_report(folder: Path) -> None:
    """Refuse, before any work, a report that cannot be written."""
    from evenhand.cli.verify import check_report

    check_report(folder / REPORT)


def _report(result: StudyResult) -> Path:
    from evenhand import reports

    path = result.folder / REPORT
    reports.write_report(path, reports.study_html(result))
    return path


def _shown(result: StudyResult, written: list[str], *, as_json: bool) -> int:
    """Print the study; 0 where every cell is done, else 3."""
    from evenhand.records import to_json
    from evenhand.reports import studied
    from evenhand.studies.grid import table

    if as_json:
        console.emit(
            {
                "study": result.study.name,
                "folder": str(result.folder),
                "complete": result.complete,
                "parts": list(result.parts),
                "limited": result.limited,
                "rows": table.rows(result.outcomes),
                "chosen": to_json(result.chosen),
                "written": written,
            }
        )
    else:
        shown = studied.overview(result)
        console.table(shown.caption, shown.head, shown.rows, labels=shown.labels)
        for sentence in studied.notes(result):
            console.say(sentence)
        if result.parts:
            done = sum(o.record is not None for o in result.outcomes)
            console.say(
                f"So far {done} of {result.study.cells} cells are done, of parts {', '.join(result.parts)}. "
                f"When every part has ended: evenhand study run FILE --out {shlex.quote(str(result.folder))}"
            )
        console.say("Written: " + ", ".join(written))
    return 0 if result.complete else Inconclusive.exit_code
