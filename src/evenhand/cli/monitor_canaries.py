"""``evenhand monitor canaries``: benchmarks that are asked of an endpoint again and again."""

from __future__ import annotations

from typing import Annotated

import typer

from evenhand.cli import console, given
from evenhand.cli.configured import Configured
from evenhand.cli.given import checked, each
from evenhand.cli.monitor import ABOUT, Data, Database, Policy, extra, opened, operator
from evenhand.cli.monitor_upkeep import app
from evenhand.cli.options import Json

__all__ = ["app"]

INCOMPLETE = 3  # a run that failed gave no figure
canaries = typer.Typer(help="Benchmarks on a schedule: add, list, run, stop.", **ABOUT)
app.add_typer(canaries, name="canaries", short_help="Benchmarks on a schedule: add, list, run, stop.")


@canaries.command("add", cls=Configured, short_help="Ask an endpoint a benchmark every so many hours.")
def add(
    endpoint: Annotated[
        str,
        typer.Argument(
            metavar="ENDPOINT",
            callback=checked(given.model),
            help="Such as openai:http://host:8000/v1?api=completions#model.",
        ),
    ],
    *,
    benchmark: Annotated[
        list[str],
        typer.Option(
            "--benchmark",
            "-b",
            metavar="NAME",
            callback=checked(each(given.components("benchmark"))),
            help="One of `evenhand ls benchmarks`; again for more.",
        ),
    ],
    use_case: Annotated[
        str, typer.Option("--use-case", metavar="NAME", help="The use case that it belongs to.")
    ] = "default",
    hours: Annotated[
        float,
        typer.Option("--hours", callback=checked(given.hours), help="From one run to the next, .1 to 8760."),
    ] = 24.0,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many items.")] = None,
    data: Data = None,
    database: Database = None,
) -> int:
    """Ask an endpoint a benchmark every so many hours; the running service does, or `canaries run`."""
    with opened(data, database) as store:
        from evenhand.monitor import canaries as probes

        every = [probes.Asked(endpoint, one, hours, limit) for one in dict.fromkeys(benchmark)]
        for one in every:
            probes.check(store, use_case, one)
        for one in every:
            number = probes.add(store, use_case, one, by=operator())
            said = f"Canary {number} asks {one.benchmark} of {endpoint} every {hours:g} hours"
            console.say(f"{said}, first when next looked.")
    return 0


@canaries.command("ls", cls=Configured, short_help="List what is asked, and what came of it last.")
def list_canaries(data: Data = None, database: Database = None, as_json: Json = False) -> int:
    """List what is asked of which endpoint, when next, and what came of the last run."""
    with opened(data, database) as store:
        from evenhand.monitor import canaries as probes
        from evenhand.monitor.roles import EVERYBODY

        rows = [
            {
                "id": one.id,
                "use_case": one.use_case,
                "endpoint": one.model,
                "what": one.benchmark or f"the prompt of report {one.report}",
                "hours": one.hours,
                "limit": one.limit,
                "due": one.due.isoformat(),
                "last": None if last is None else last.time.isoformat(),
                "failure": None if last is None else last.failure,
            }
            for one in probes.listed(store, EVERYBODY)
            for last in [probes.last_run(store, one.id)]
        ]
    head = ("id", "use_case", "endpoint", "what", "hours", "due", "last", "failure")
    return console.listing("canaries", rows, head, as_json=as_json)


@canaries.command("run", cls=Configured, short_help="Ask what is due now.")
def run(
    *,
    policy: Policy = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> int:
    """Ask everything that is due now, once; exit code 3 if a run failed.

    A running service does so by itself every minute, and what one of them has begun the other leaves. Prompts
    of reports are asked only with --policy, and only of the endpoints that it lists.
    """
    with opened(data, database) as store:
        from evenhand.monitor import canaries as probes
        from evenhand.monitor.policy import read_policy

        with extra():
            allowed = () if policy is None else read_policy(policy).probes.endpoints
            done = probes.run_due(store, allowed=allowed, reports=policy is not None)
        runs = {number: probes.last_run(store, number) for number in done}
    rows = [
        {"id": number, "failure": None if last is None else last.failure} for number, last in runs.items()
    ]
    if as_json:
        console.emit({"ran": rows})
    else:
        for row in rows:
            console.say(f"Canary {row['id']}: {row['failure'] or 'measured'}")
        if not rows:
            console.say("Nothing is due.")
    return INCOMPLETE if any(row["failure"] for row in rows) else 0


@canaries.command("stop", cls=Configured, short_help="Ask no more.")
def stop(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `canaries ls`.")],
    data: Data = None,
    database: Database = None,
) -> int:
    """Ask no more; what was found stays."""
    with opened(data, database) as store:
        from evenhand.monitor import canaries as probes

        probes.stop(store, number, by=operator())
    console.say(f"Canary {number} is stopped.")
    return 0
