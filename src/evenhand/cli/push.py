"""``evenhand push``: a treated model with its card, to the hub; without --yes nothing leaves the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import console
from evenhand.cli.options import Json, Run

Repo = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository on the hub.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FOLDER",
        help="A treatment, an adapter or a merged model, as safetensors; by default the run's own treatment.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Upload. Without it, only what would be uploaded is shown.")]
Public = Annotated[bool, typer.Option("--public", help="Make a new repository public, not private.")]


def push(
    run: Run,
    repo: Repo,
    *,
    weights: Weights = None,
    public: Public = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Show what a release of a verified treatment would upload, and with --yes upload it."""
    from evenhand.publishing import pushing
    from evenhand.studies import store
    from evenhand.studies.resuming import TREATMENT

    record = store.load_verification(run)
    release = pushing.prepared(record, repo, weights or run / TREATMENT, private=not public)
    address = pushing.push(release) if yes else None
    if as_json:
        told = {"repo": repo, "private": release.private, "uploaded": yes, "address": address}
        console.emit({"run": str(run), **told, "files": release.sizes})
        return 0
    console.say(f"{repo}, {'private' if release.private else 'public'}:")
    for path, size in release.sizes.items():
        console.say(f"  {size:>12,} bytes  {path}")
    console.say(f"Uploaded: {address}" if yes else "Nothing was uploaded. To upload it, add --yes.")
    return 0
