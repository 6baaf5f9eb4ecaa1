"""What keeps a monitor in order: ``evenhand monitor messages``, ``retention``, ``hold`` and ``erase``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import console
from evenhand.cli.configured import Configured
from evenhand.cli.monitor import ABOUT, Data, Database, extra, opened, operator
from evenhand.cli.monitor_records import app
from evenhand.cli.options import Json

__all__ = ["app"]

messages = typer.Typer(help="Messages about alerts: list, retry, test.", **ABOUT)
app.add_typer(messages, name="messages", short_help="Messages about alerts: list, retry, test.")

PolicyFile = Annotated[Path, typer.Option("--policy", metavar="FILE.toml", help="The policy file.")]


@messages.command("ls", cls=Configured, short_help="List the newest messages and what became of them.")
def list_messages(
    *,
    problems: Annotated[bool, typer.Option("--problems", help="Only those that had one.")] = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> int:
    """List the newest 50 messages: waiting, sent or failed; of a webhook only its site is shown."""
    with opened(data, database) as store:
        from evenhand.monitor import outbox
        from evenhand.monitor.roles import EVERYBODY

        rows = [
            {
                "id": one.id,
                "state": one.standing,
                "change": one.change,
                "use_case": one.use_case,
                "receiver": one.receiver,
                "created": one.created.isoformat(),
                "sent": None if one.sent is None else one.sent.isoformat(),
                "tries": one.tries,
                "problem": one.problem,
            }
            for one in outbox.listed(store, EVERYBODY, problems=problems)
        ]
    head = ("id", "state", "change", "use_case", "receiver", "created", "problem")
    return console.listing("messages", rows, head, as_json=as_json)


@messages.command("retry", cls=Configured, short_help="Send a message that failed again.")
def retry_message(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `messages ls`.")],
    data: Data = None,
    database: Database = None,
) -> int:
    """Let a message that was given up be sent again; the running service does so within seconds."""
    with opened(data, database) as store:
        from evenhand.monitor import outbox
        from evenhand.monitor.store.opening import utc_now

        outbox.retry(store, number, utc_now())
    console.say(f"Message {number} is sent again.")
    return 0


@messages.command("test", cls=Configured, short_help="Send a test to everybody a policy names.")
def try_messages(policy: PolicyFile, as_json: Json = False) -> int:
    """Send a message marked as a test to every receiver of a policy; exit code 4 if one does not take it."""
    with extra():
        from evenhand.monitor.policy import read_policy, shown
        from evenhand.monitor.sending import Sender, tried
    own = read_policy(policy)
    found = tried(Sender.of(own), own.name)
    rows = [{"receiver": shown(receiver), "problem": problem} for receiver, problem in found.items()]
    if as_json:
        console.emit({"receivers": rows})
    else:
        for row in rows:
            console.say(f"{row['receiver']}: {row['problem'] or 'sent'}")
        if not rows:
            console.say("The policy names nobody: give it a line such as notify = [...].")
    return 4 if any(found.values()) else 0


retention = typer.Typer(help="Delete what is older than the policy keeps it.", **ABOUT)
hold = typer.Typer(help="Legal holds: add, list, remove.", **ABOUT)
app.add_typer(retention, name="retention", short_help="Delete what is older than the policy keeps it.")
app.add_typer(hold, name="hold", short_help="Legal holds: add, list, remove.")

UseCase = Annotated[str, typer.Option("--use-case", metavar="NAME", help="The use case.")]
Why = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="The reason, kept for good: no name belongs in it.")
]


@retention.command("run", cls=Configured, short_help="Delete what is too old now.")
def run_retention(
    *,
    policy: PolicyFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> int:
    """Delete records older than [retention] of the policy allows; counts stay, holds are respected.

    The service does it once a day by itself.
    """
    with opened(data, database) as store:
        from evenhand.monitor.policy import read_policy
        from evenhand.monitor.retention import run

        found = run(store, read_policy(policy).retention, dry=dry_run)
    if as_json:
        console.emit({"dry_run": dry_run, **vars(found)})
        return 0
    told = "would be deleted" if dry_run else "were deleted"
    console.say(
        f"{found.predictions} events, {found.attributes} links to attributes, {found.texts} texts of "
        f"generations, {found.reports} texts of reports and {found.waiting_labels} waiting labels {told}; "
        f"{found.held_use_cases} use cases are held."
    )
    return 0


@hold.command("add", cls=Configured, short_help="Keep a use case or a person for now.")
def add_hold(
    *,
    use_case: UseCase,
    why: Why,
    subject: Annotated[
        str, typer.Option("--subject", metavar="ID", help="Only the person of this prediction id.")
    ] = "",
    data: Data = None,
    database: Database = None,
) -> int:
    """Keep a use case, or one person of it: retention and erasure leave it alone until the hold ends."""
    with opened(data, database) as store:
        from evenhand.monitor import holding

        number = holding.add(store, use_case, prediction_id=subject, why=why, by=operator())
    console.say(f"Hold {number} keeps {'one person of ' if subject else ''}{use_case}.")
    return 0


@hold.command("list", cls=Configured, short_help="List the holds.")
def list_holds(
    *,
    removed: Annotated[bool, typer.Option("--removed", help="Also those that have ended.")] = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> int:
    """List the legal holds, the newest first; of a person it is only said that it is one."""
    with opened(data, database) as store:
        from evenhand.monitor import holding
        from evenhand.monitor.roles import EVERYBODY

        rows = [vars(one) for one in holding.listed(store, EVERYBODY, removed=removed)]
    if as_json:
        times = ("created", "removed")
        shown = [
            {**row, **{one: None if row[one] is None else row[one].isoformat() for one in times}}
            for row in rows
        ]
        console.emit({"holds": shown})
        return 0
    head = ("id", "use_case", "person", "why", "by", "created", "removed")
    return console.listing("holds", rows, head, as_json=False)


@hold.command("remove", cls=Configured, short_help="End a hold.")
def remove_hold(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `hold list`.")],
    *,
    why: Why,
    data: Data = None,
    database: Database = None,
) -> int:
    """End a hold; it stays in the chain and in `hold list --removed`."""
    with opened(data, database) as store:
        from dataclasses import replace

        from evenhand.monitor import holding
        from evenhand.monitor.roles import EVERYBODY

        holding.remove(store, replace(EVERYBODY, name=operator()), number, why=why)
    console.say(f"Hold {number} is removed.")
    return 0


@app.command("erase", cls=Configured, short_help="Erase what is stored about a person.")
def erase(
    subjects: Annotated[
        list[str], typer.Argument(metavar="SUBJECT...", help="The prediction ids of the person.")
    ],
    *,
    use_case: UseCase,
    why: Why,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> int:
    """Erase decisions, attributes, texts and labels under these prediction ids: all of them, or none.

    Counts stay, and the chain holds. What is sent again under these ids is not stored. Backups and exports
    that were made before still hold it, and PostgreSQL until its next VACUUM.
    """
    with opened(data, database) as store:
        from evenhand.monitor import erasing

        gone = erasing.erase(store, use_case, subjects, why=why, by=operator())
    if as_json:
        console.emit(vars(gone))
        return 0
    console.say(
        f"Erased: {gone.predictions} events, {gone.attributes} links to attributes, {gone.texts} texts, "
        f"{gone.waiting_labels} waiting labels. Counts stay."
    )
    return 0
