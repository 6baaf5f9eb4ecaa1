"""``evenhand reproduce``: the tables of a paper on any model, and what becomes of its claims there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import console, given
from evenhand.cli.configured import checks_first, ready
from evenhand.cli.given import checked
from evenhand.cli.idle import refuse_idle
from evenhand.cli.options import Budget, DataDir, Json, Limit, Out
from evenhand.cli.verify import Control, ControlForm
from evenhand.errors import Inconclusive

if TYPE_CHECKING:
    from evenhand.reproductions import Prepared, Reproduction

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE", callback=checked(given.recipe), help="lftf, faircon or uqac (docs/reproduce.md)."
    ),
]
Named = Annotated[
    str, typer.Argument(metavar="MODEL", help="lab:causal, hf:./folder ... or a name in the source's tables.")
]
KnownAs = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="What the source calls this model, where it is a copy of one."),
]
OneTable = Annotated[str | None, typer.Option("--table", metavar="NAME", help="One table of the source.")]
PlanOnly = Annotated[
    bool,
    typer.Option("--plan", help="Say what would run and how long it takes; fit and store nothing."),
]
DRAW = ",prompt_seed="
REPORT, TEXT = "report.html", "reproduction.md"


@checks_first
def reproduce(
    source: Source,
    model: Named,
    *,
    table: OneTable = None,
    known_as: KnownAs = None,
    out: Out = None,
    limit: Limit = None,
    budget: Budget = None,
    control: Control = ControlForm.NONE,
    plan: PlanOnly = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> int:
    """Run the recipes of a source's tables on any model: published figures beside measured ones.

    Every claim of the source holds on this model, does not hold, or stays undecided. The same command goes on
    after an interruption. The exit code is 0 where everything was run, whatever the claims, else 3.
    """
    from evenhand import reproductions

    recipe = reproductions.recipe_of(source)
    asked = reproductions.Asked(table, known_as, limit, budget, control.value)
    if plan:
        refuse_idle({"--out": out}, "--plan", why="it stores nothing", mend="Leave out one or the other.")
    reproductions.check(recipe, model, asked)
    ready()
    planned = reproductions.prepared(recipe, model, asked, look=not plan)
    if plan:
        return _planned(planned, as_json=as_json)
    folder = out or Path("runs") / _folder(source, planned.model.uri)
    _check(folder)
    console.warn(" ".join(_steps(planned)))
    found, study = reproductions.run(planned, folder)
    written = _write(found, folder, study)
    return _shown(found, written, as_json=as_json)


def _folder(source: str, uri: str) -> str:
    return f"reproduce-{source}-{re.sub(r'[^A-Za-z0-9]+', '-', uri).strip('-')[:60]}"


def _check(folder: Path) -> None:
    """Refuse, before any work, reports that cannot be written."""
    from evenhand.cli.verify import check_report
    from evenhand.outputs import check_ours
    from evenhand.reports import reproduced

    check_report(folder / REPORT)
    check_ours(folder / TEXT, reproduced.SIGN.encode())


def _write(found: Reproduction, folder: Path, study: Any) -> list[str]:
    """The pages beside the record: the reproduction's, as HTML and Markdown, and its study's."""
    from evenhand import reports
    from evenhand.files import write_atomically
    from evenhand.reports import reproduced
    from evenhand.reproductions.result import RECORD

    reports.write_report(folder / REPORT, reports.reproduction_html(found))
    write_atomically(folder / TEXT, reproduced.markdown(found).encode())
    written = [folder / RECORD, folder / TEXT, folder / REPORT]
    if study is not None:
        reports.write_report(study.folder / REPORT, reports.study_html(study))
        written.append(study.folder / REPORT)
    return [str(path) for path in written]


def _steps(ready: Prepared) -> list[str]:
    """What will run, in sentences."""
    recipe, tables = ready.recipe.published, ", ".join(table.name for table in ready.tables)
    said = [f"Table{'s' * (len(ready.tables) > 1)} {tables} of {recipe.short} on {ready.model.uri}."]
    if ready.measured:
        said.append(f"Measured untreated: {', '.join(_drawn(ready.measured))}.")
    if ready.treatments:
        said.append(f"Measured before and after each treatment: {', '.join(ready.studied)}.")
        said.append(f"Capability: {', '.join(ready.capability)}.")
        said.append(f"Treatments: {'; '.join(ready.treatments)}.")
        said.append(f"Control models: {ready.asked.control}.")
    said += [f"Not measured, {spec}: {why}." for spec, why in ready.absent.items()]
    return said


def _drawn(specs: Sequence[str]) -> list[str]:
    """The specs, those that differ in nothing but the draw of their demonstrations as one."""
    counts = Counter(spec.partition(DRAW)[0] for spec in specs)
    return [f"{spec} ({n} draws)" if n > 1 else spec for spec, n in counts.items()]


def _planned(ready: Prepared, *, as_json: bool) -> int:
    from evenhand.progress import duration
    from evenhand.reproductions import forecast

    ahead = forecast(ready)
    if as_json:
        console.emit(
            {
                "source": ready.recipe.name,
                "model": ready.model.uri,
                "tables": [table.name for table in ready.tables],
                "treatments": list(ready.treatments),
                "studied": list(ready.studied),
                "capability": list(ready.capability),
                "measured": list(ready.measured),
                "absent": dict(ready.absent),
                "control": ready.asked.control,
                "minutes": {"low": ahead.low, "high": ahead.high, "why": ahead.why},
            }
        )
        return 0
    for sentence in _steps(ready):
        console.say(sentence)
    if ahead.low is None or ahead.high is None:
        console.say(f"How long it takes is not known: {ahead.why}")
    else:
        low, high = duration(60 * ahead.low), duration(60 * ahead.high)
        console.say(f"About {low} to {high} if nothing is stored yet; editing and search take longer.")
    return 0


def _shown(found: Reproduction, written: list[str], *, as_json: bool) -> int:
    """Print the reproduction; 0 where everything was run, else 3."""
    from evenhand.records import to_json
    from evenhand.reports import reproduced

    if as_json:
        console.emit({**to_json(found), "complete": found.complete, "written": written})
    else:
        for one in (reproduced.claims(found), reproduced.figures(found)):
            console.table(one.caption, one.head, one.rows, labels=one.labels)
        for sentence in (*reproduced.unmeasured(found), *reproduced.notes(found)):
            console.say(sentence)
        console.say(reproduced.count(found))
        console.say("Written: " + ", ".join(written))
    return 0 if found.complete else Inconclusive.exit_code
