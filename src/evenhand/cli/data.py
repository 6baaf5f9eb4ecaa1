"""``evenhand data``: list, fetch, check and find benchmark data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from evenhand.cli import console
from evenhand.cli.configured import Configured
from evenhand.cli.options import DataDir, Json
from evenhand.decimals import fixed

app = typer.Typer(
    help="Benchmark data: list it, fetch it, check it, find it. Files come from --data-dir or EVENHAND_DATA "
    "(a folder in the layout that `evenhand data ls NAME` shows), or from the cache that `pull` fills.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="A data set (bbq) or a file (bbq/Age.jsonl)."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set (bbq) or a file (bbq/Age.jsonl).")]


@app.command("ls", cls=Configured, short_help="What data there is, its licence, and what is here.")
def ls(names: Names = None, data_dir: DataDir = None, as_json: Json = False) -> int:
    """List the data sets, or with a NAME its files."""
    from evenhand import sources

    rows = [_described(e) for e in _wanted(names)]
    if as_json:
        console.emit({"folders": [str(folder) for folder in sources.folders()], "files": rows})
        return 0
    if names:
        for row in rows:
            console.say(f"{row['name']}: {row['rows']} rows, {row['bytes']} bytes, {row['licence']}")
            console.say(f"  from {row['url']}{' (a copy)' if row['copied'] else ''}")
            console.say(f"  at   {row['path'] or 'nowhere on this machine'}")
        return 0
    console.table("data sets", ("name", "what it is", "MB", "files", "here"), _by_dataset(rows), labels=2)
    return 0


@app.command("pull", cls=Configured, short_help="Fetch data over HTTPS into the cache.")
def pull(names: Names = None, as_json: Json = False) -> int:
    """Fetch data sets or files from their official addresses; resumes; stores only complete files."""
    from evenhand.errors import UsageError
    from evenhand.sources import pulling

    if not names:
        raise UsageError("Nothing to pull is named.", mend="`evenhand data ls` lists what there is.")
    places = {wanted.name: str(pulling.pull(wanted)) for wanted in _wanted(names)}
    if as_json:
        console.emit({"files": places})
    else:
        for place in places.values():
            console.say(place)
    return 0


@app.command("verify", cls=Configured, short_help="Check the files that are here.")
def verify(names: Names = None, data_dir: DataDir = None, as_json: Json = False) -> int:
    """Check the SHA-256 of every file that is here; with a NAME, a missing file is incomplete (exit 3)."""
    from evenhand.errors import BadData

    rows = [(e.name, *_state(e)) for e in _wanted(names)]
    wrong = [problem for _, state, problem in rows if state == "wrong"]
    missing = [name for name, state, _ in rows if state == "missing"]
    if as_json and not wrong:
        console.emit({"files": {name: state for name, state, _ in rows}})
    elif not as_json:
        shown = [(name, state) for name, state, _ in rows if names or state != "missing"]
        console.table("data files", ("file", "state"), shown, labels=2)
        console.say(
            f"{len(rows) - len(missing) - len(wrong)} right, {len(wrong)} wrong, {len(missing)} not here."
        )
    if wrong:
        raise BadData(
            " ".join(wrong),
            mend="`evenhand data pull` fetches the right files; nothing reads the wrong ones.",
        )
    return 3 if names and missing else 0


@app.command("path", cls=Configured, short_help="Where a file lies.")
def path(name: Name, data_dir: DataDir = None, as_json: Json = False) -> int:
    """Print where a file, or every file of a data set, lies; all of them are checked first."""
    from evenhand import sources

    names = [e.name for e in sources.matching(name)]
    places = dict(zip(names, map(str, sources.paths(names)), strict=True))
    if as_json:
        console.emit({"files": places})
    else:
        for place in places.values():
            console.say(place)
    return 0


def _wanted(names: Sequence[str] | None) -> list[Any]:
    """The entries that `names` denote, each once; all of them when none is named."""
    from evenhand import sources

    if not names:
        return list(sources.entries())
    return list(dict.fromkeys(e for name in names for e in sources.matching(name)))


def _described(e: Any) -> dict[str, Any]:
    from evenhand import sources

    place: Path | None = sources.find(e)
    return {
        "name": e.name,
        "dataset": e.dataset,
        "title": e.title,
        "licence": e.licence,
        "url": e.url,
        "copied": e.copied,
        "bytes": e.size,
        "rows": e.rows,
        "sha256": e.sha256,
        "path": None if place is None else str(place),
    }


def _by_dataset(rows: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["dataset"], []).append(row)
    return [(name, *_summary(members)) for name, members in groups.items()]


def _summary(members: Sequence[dict[str, Any]]) -> tuple[str, str, str, str]:
    licences = dict.fromkeys(m["licence"].partition(" (")[0] for m in members)
    size = sum(m["bytes"] for m in members) / 1e6
    here = sum(m["path"] is not None for m in members)
    title = f"{members[0]['title']} ({'; '.join(licences)})"
    return title, fixed(size, 1), str(len(members)), str(here)


def _state(e: Any) -> tuple[str, str]:
    """``right``, ``wrong`` (with the problem) or ``missing``."""
    from evenhand import sources
    from evenhand.errors import BadData

    place = sources.find(e)
    if place is None:
        return "missing", ""
    try:
        sources.check(place, e)
    except BadData as error:
        return "wrong", error.what
    return "right", ""
