"""Who may ask a monitor: ``evenhand monitor keys`` and ``users``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from evenhand.cli import console, given
from evenhand.cli.configured import Configured
from evenhand.cli.given import checked, each
from evenhand.cli.monitor import ABOUT, Data, Database, UseCases, app, opened, operator
from evenhand.cli.options import Json
from evenhand.errors import UsageError

__all__ = ["app"]

keys = typer.Typer(help="Keys of the API: make, list, revoke.", **ABOUT)
users = typer.Typer(help="People who may log in: add, list, disable.", **ABOUT)
app.add_typer(keys, name="keys", short_help="Keys of the API: make, list, revoke.")
app.add_typer(users, name="users", short_help="People who may log in: add, list, disable.")


@keys.command("create", cls=Configured, short_help="Make a key and print it, once.")
def create_key(
    *,
    name: Annotated[str, typer.Option("--name", help="What it is for, in lists.")] = "key",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            callback=checked(each(given.scope)),
            help="ingest (the default), read, feedback, audit, act; repeat it.",
        ),
    ] = None,
    use_case: UseCases = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="How long it lasts.")] = 365,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> int:
    """Make a key of the API. It alone is printed on stdout, and nobody can show it again."""
    with opened(data, database) as store:
        from evenhand.monitor import keys as made

        new = made.create(
            store, name, scope or ["ingest"], use_cases=use_case or None, days=days, by=operator()
        )
    if as_json:
        console.emit({"key": new.text, **_key_row(new.key)})
        return 0
    console.warn(
        f"Key {new.key.id} for {', '.join(new.key.scopes)} until {new.key.expires:%Y-%m-%d}. Keep it: it "
        "is not shown again."
    )
    console.say(new.text)
    return 0


@keys.command("ls", cls=Configured, short_help="List the keys, without what they are.")
def list_keys(data: Data = None, database: Database = None, as_json: Json = False) -> int:
    """List the keys: their first characters, scopes, use cases and state."""
    with opened(data, database) as store:
        from evenhand.monitor import keys as made

        rows = [_key_row(one) for one in made.listed(store)]
    head = ("id", "name", "start", "scopes", "use_cases", "expires", "state")
    return console.listing("keys", rows, head, as_json=as_json, absent="all")


@keys.command("revoke", cls=Configured, short_help="End a key now.")
def revoke_key(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `keys ls`.")],
    data: Data = None,
    database: Database = None,
) -> int:
    """End a key at once, also for a service that is running."""
    with opened(data, database) as store:
        from evenhand.monitor import keys as made

        key = made.revoke(store, number, by=operator())
    console.say(f"Key {key.id} ({key.name}) is revoked.")
    return 0


def _key_row(key: Any) -> dict[str, Any]:
    from evenhand.monitor.store.opening import utc_now

    return {
        "id": key.id,
        "name": key.name,
        "start": key.start,
        "scopes": list(key.scopes),
        "use_cases": None if key.use_cases is None else list(key.use_cases),
        "created": key.created.isoformat(),
        "expires": None if key.expires is None else key.expires.isoformat(),
        "state": key.state(utc_now()),
    }


@users.command("add", cls=Configured, short_help="Add a person who may log in.")
def add_user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name to log in with.")],
    *,
    role: Annotated[
        str,
        typer.Option("--role", callback=checked(given.role), help="viewer, analyst, auditor or admin."),
    ] = "viewer",
    sso: Annotated[
        bool, typer.Option("--sso", help="Without a password: the proxy of single sign-on logs them in.")
    ] = False,
    use_case: UseCases = None,
    data: Data = None,
    database: Database = None,
) -> int:
    """Add a person; the password of 12 characters or more is asked for, or read from stdin."""
    password = None if sso else _password()
    with opened(data, database) as store:
        from evenhand.monitor import users as people

        made = people.add(store, name, password, role, use_cases=use_case or None, by=operator())
    how = "come in through single sign-on" if sso else "log in"
    console.say(f"{made.name} may {how} as {made.role}.")
    return 0


@users.command("sso", cls=Configured, short_help="Let a person in by single sign-on only.")
def by_proxy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name.")],
    data: Data = None,
    database: Database = None,
) -> int:
    """Let a person in by single sign-on from now on: the password and open sessions go."""
    with opened(data, database) as store:
        from evenhand.monitor import users as people

        people.only_by_proxy(store, name, by=operator())
    console.say(f"{name} comes in through single sign-on only.")
    return 0


def _password() -> str:
    """Typed twice without being shown, or one line of stdin."""
    import getpass
    import sys

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise UsageError("The two passwords are not the same.", mend="Type it anew.")
    return first


@users.command("ls", cls=Configured, short_help="List the people who may log in.")
def list_users(data: Data = None, database: Database = None, as_json: Json = False) -> int:
    """List users, their roles and use cases."""
    with opened(data, database) as store:
        from evenhand.monitor import users as people

        rows = [
            {
                "name": one.name,
                "role": one.role,
                "use_cases": None if one.use_cases is None else list(one.use_cases),
                "sso": one.sso,
                "disabled": one.disabled is not None,
            }
            for one in people.listed(store)
        ]
    head = ("name", "role", "use_cases", "sso", "disabled")
    return console.listing("users", rows, head, as_json=as_json, absent="all")


@users.command("disable", cls=Configured, short_help="End a person's rights and sessions.")
def disable_user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name.")],
    data: Data = None,
    database: Database = None,
) -> int:
    """End a person's rights and sessions at once."""
    with opened(data, database) as store:
        from evenhand.monitor import users as people

        people.disable(store, name, by=operator())
    console.say(f"{name} may no longer log in.")
    return 0
