"""What is shown to outsiders: ``evenhand monitor export``, ``verify``; and ``demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import console
from evenhand.cli.configured import Configured
from evenhand.cli.monitor import Data, Database, Policy, UseCases, opened
from evenhand.cli.monitor_access import app
from evenhand.cli.options import Json
from evenhand.errors import BadData

__all__ = ["app"]


@app.command("export", cls=Configured, short_help="Write a signed export for an outside audit.")
def export(
    *,
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The new folder.")],
    use_case: UseCases = None,
    policy: Policy = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> int:
    """Write events, labels, counts and the chain, signed, with a verifier that needs only Python."""
    with opened(data, database) as store:
        from evenhand.files import read_text
        from evenhand.monitor import export as exporting

        text = "" if policy is None else read_text(policy, mend="Name a readable policy file.")
        found = exporting.export(store, out, exporting.Contents(use_cases=use_case or None, policy=text))
    if as_json:
        console.emit({**vars(found), "folder": str(found.folder)})
        return 0
    console.say(f"Export: {found.folder}. Check it: python {found.folder}/verifier.py {found.folder}")
    console.say(f"Publish the head, by which a history that is rewritten later is found: {found.head}")
    console.say(f"Publish the key: {found.key}")
    return 0


@app.command("verify", cls=Configured, short_help="Check an export, or the chain of the database.")
def verify(
    *,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[EXPORT]", help="By default the database.")
    ] = None,
    head: Annotated[
        str, typer.Option("--head", metavar="NUMBER:HEAD", help="A head that was published earlier.")
    ] = "",
    key: Annotated[str, typer.Option("--key", metavar="HEX", help="The key that was published.")] = "",
    data: Data = None,
    database: Database = None,
) -> int:
    """Name everything that was altered, in an export or in the database; exit code 1 if anything was."""
    if folder is not None:
        from evenhand.monitor import verifier

        try:
            faults = list(verifier.faults(folder, head, key))
        except verifier.Unreadable as error:
            raise BadData(
                f"{folder} is no export that can be checked: {error}.", mend="Name the folder of an export."
            ) from None
    else:
        with opened(data, database) as store:
            from evenhand.monitor import chain

            faults = chain.check(store, head)
    for fault in faults:
        console.say(fault)
    if not faults:
        console.say("Everything holds.")
    return 1 if faults else 0


@app.command("demo", cls=Configured, short_help="Fill the database with a simulated year.")
def demo(data: Data = None, database: Database = None) -> int:
    """A fair start, a biased release, an alert, a fix; about a minute, beside what is there already."""
    with opened(data, database) as store:
        from evenhand.monitor import demo as year

        found = year.fill(store)
    console.say(
        f"{found.events} decisions and {found.labels} labels. Biased release on day {found.released}, alert "
        f"on day {found.alerted}, fix on day {found.fixed}."
    )
    console.say("Look at it: evenhand monitor serve --no-auth")
    return 0
