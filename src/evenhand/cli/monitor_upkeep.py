"""What keeps a monitor in order: ``evenhand monitor messages``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from evenhand.cli import console
from evenhand.cli.configured import Configured
from evenhand.cli.monitor import Data, Database, extra, opened
from evenhand.cli.monitor_records import app
from evenhand.cli.options import Json

__all__ = ["app"]

_ABOUT: dict[str, Any] = {"no_args_is_help": True, "rich_markup_mode": None}
messages = typer.Typer(help="Messages about alerts: list, retry, test.", **_ABOUT)
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
    if as_json:
        console.emit({"messages": rows})
        return 0
    head = ("id", "state", "change", "use_case", "receiver", "created", "problem")
    cells = [["" if row[name] is None else str(row[name]) for name in head] for row in rows]
    console.table("messages", head, cells, labels=len(head))
    return 0


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
