"""``evenhand monitor``: the service that watches figures of bias in production, and its upkeep."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import console
from evenhand.cli.configured import Configured
from evenhand.cli.options import Json
from evenhand.errors import BadData, BadOption, MissingExtra, UsageError

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

_ABOUT: dict[str, Any] = {"no_args_is_help": True, "rich_markup_mode": None}
app = typer.Typer(
    help="Watch decisions and answers in production (docs/monitor.md). Everything is in a data folder: "
    "--data, or EVENHAND_MONITOR_DATA, or ~/.local/share/evenhand/monitor.",
    **_ABOUT,
)
keys = typer.Typer(help="Keys of the API: make, list, revoke.", **_ABOUT)
users = typer.Typer(help="People who may log in: add, list, disable.", **_ABOUT)
db = typer.Typer(help="The database: upgrade, downgrade, copy, backup.", **_ABOUT)
app.add_typer(keys, name="keys", short_help="Keys of the API: make, list, revoke.")
app.add_typer(users, name="users", short_help="People who may log in: add, list, disable.")
app.add_typer(db, name="db", short_help="The database: upgrade, downgrade, copy, backup.")

Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder.")]
Database = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", help="postgresql://user@host/base, or a file of SQLite elsewhere."
    ),
]
UseCases = Annotated[
    list[str] | None,
    typer.Option("--use-case", metavar="NAME", help="Only this use case; repeat it. By default all."),
]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen at.")]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="The port to listen at; 0 for a free one.")
]
NoAuth = Annotated[
    bool, typer.Option("--no-auth", help="Ask for no key and no password; on this machine only.")
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option("--allow-host", metavar="NAME", help="A name under which people reach it; repeat it."),
]
KeepTexts = Annotated[bool, typer.Option("--keep-texts", help="Store prompts and answers of generations.")]
Public = Annotated[
    list[str] | None,
    typer.Option("--public", metavar="NAME", help="Everybody may read this use case's report; repeat it."),
]
Https = Annotated[bool, typer.Option("--https", help="A proxy in front of it speaks HTTPS.")]
TrustProxy = Annotated[
    list[str] | None,
    typer.Option(
        "--trust-proxy",
        metavar="ADDRESS",
        help="A proxy (or a network of them) whose X-Forwarded-For says who asks; repeat it.",
    ),
]
Policy = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE.toml", help="The tolerances, for alerts.")
]


@contextlib.contextmanager
def extra() -> Iterator[None]:
    """A package that is missing, as the extra that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name in ("evenhand", ""):
            raise
        raise MissingExtra(name, "monitor", "The monitor") from None


@contextlib.contextmanager
def opened(data: Path | None, database: str | None) -> Iterator[Store]:
    """The database of these options, closed at the end."""
    with extra():
        from evenhand.monitor.store import open_store
    store = open_store(data, database)
    try:
        yield store
    finally:
        store.close()


@app.command("serve", cls=Configured, short_help="Start the service.")
def serve(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8750,
    data: Data = None,
    database: Database = None,
    policy: Policy = None,
    no_auth: NoAuth = False,
    allow_host: AllowHost = None,
    keep_texts: KeepTexts = False,
    https: Https = False,
    trust_proxy: TrustProxy = None,
    public: Public = None,
) -> int:
    """Take events and show figures until it is stopped (Ctrl-C or SIGTERM), finishing what it has begun."""
    with extra():
        from evenhand.monitor.service import serving
    wanted = serving.Wanted(
        host=host,
        port=port,
        authenticate=not no_auth,
        names=tuple(allow_host or ()),
        keep_texts=keep_texts,
        https=https,
        policy=policy,
        public=tuple(public or ()),
        proxies=tuple(trust_proxy or ()),
    )
    serving.check(wanted)
    with opened(data, database) as store:
        return serving.serve(store, wanted)


@app.command("ingest", cls=Configured, short_help="Store and count the events of files.")
def ingest(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Parquet, or JSONL of one event a line.")
    ],
    *,
    data: Data = None,
    database: Database = None,
    keep_texts: KeepTexts = False,
    policy: Policy = None,
    as_json: Json = False,
) -> int:
    """Store and count the events of files; those whose prediction ids are there already are passed over.

    With the policy that the service has, its alerts look at every day that the files make whole.
    """
    with opened(data, database) as store:
        from evenhand.monitor.ingest import Outcome, take
        from evenhand.monitor.reading import batches
        from evenhand.monitor.watching import Watcher, policy_of

        after = None if policy is None else Watcher(policy_of(policy)).after
        total = Outcome()
        try:
            for file in files:
                for batch in batches(file):
                    total += take(store, batch, keep_texts=keep_texts, after=after)
        except BadData as error:
            if not total.accepted:
                raise
            raise BadData(f"{error.what} {total.accepted} events are stored.", mend=error.mend) from None
    if as_json:
        console.emit(vars(total))
    else:
        console.say(
            f"{total.accepted} events, {total.duplicates} duplicates, {total.labels} labels joined, "
            f"{total.conflicting} labels that contradict earlier ones."
        )
    return 0


@keys.command("create", cls=Configured, short_help="Make a key and print it, once.")
def create_key(
    *,
    name: Annotated[str, typer.Option("--name", help="What it is for, in lists.")] = "key",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="ingest (the default), read, feedback, audit, act; repeat it."),
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

        new = made.create(store, name, scope or ["ingest"], use_cases=use_case or None, days=days)
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
    if as_json:
        console.emit({"keys": rows})
        return 0
    head = ("id", "name", "start", "scopes", "use_cases", "expires", "state")
    console.table("keys", head, [[_cell(row[name]) for name in head] for row in rows], labels=len(head))
    return 0


@keys.command("revoke", cls=Configured, short_help="End a key now.")
def revoke_key(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `keys ls`.")],
    data: Data = None,
    database: Database = None,
) -> int:
    """End a key at once, also for a service that is running."""
    with opened(data, database) as store:
        from evenhand.monitor import keys as made

        key = made.revoke(store, number)
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


def _cell(value: Any) -> str:
    if value is None:
        return "all"
    return ", ".join(value) if isinstance(value, list) else str(value)


@users.command("add", cls=Configured, short_help="Add a person who may log in.")
def add_user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name to log in with.")],
    role: Annotated[str, typer.Option("--role", help="viewer, analyst, auditor or admin.")] = "viewer",
    use_case: UseCases = None,
    data: Data = None,
    database: Database = None,
) -> int:
    """Add a person; the password of 12 characters or more is asked for, or read from stdin."""
    password = _password()
    with opened(data, database) as store:
        from evenhand.monitor import users as people

        made = people.add(store, name, password, role, use_cases=use_case or None)
    console.say(f"{made.name} may log in as {made.role}.")
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
                "disabled": one.disabled is not None,
            }
            for one in people.listed(store)
        ]
    if as_json:
        console.emit({"users": rows})
        return 0
    head = ("name", "role", "use_cases", "disabled")
    console.table("users", head, [[_cell(row[name]) for name in head] for row in rows], labels=4)
    return 0


@users.command("disable", cls=Configured, short_help="End a person's rights and sessions.")
def disable_user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name.")],
    data: Data = None,
    database: Database = None,
) -> int:
    """End a person's rights and sessions at once."""
    with opened(data, database) as store:
        from evenhand.monitor import users as people

        people.disable(store, name)
    console.say(f"{name} may no longer log in.")
    return 0


@db.command("upgrade", cls=Configured, short_help="Bring the schema up to date.")
def upgrade(data: Data = None, database: Database = None) -> int:
    """Make the schema, or bring it up to the newest version: all of it, or nothing."""
    return _migrated(data, database, "")


@db.command("downgrade", cls=Configured, short_help="Bring the schema back to an older version.")
def downgrade(
    to: Annotated[str, typer.Argument(metavar="VERSION", help="Such as 0001; `base` drops everything.")],
    data: Data = None,
    database: Database = None,
) -> int:
    """Bring the schema back, for an older evenhand. What the older version does not know is lost."""
    return _migrated(data, database, to)


def _migrated(data: Path | None, database: str | None, to: str) -> int:
    with extra():
        from evenhand.monitor.store import create
        from evenhand.monitor.store.migrating import migrate
        from evenhand.monitor.store.opening import connect, data_folder
    store = connect(data_folder(data), database)
    try:
        if to:
            console.say(f"The schema has version {migrate(store.writer, to)}.")
        else:
            create(store)
            console.say("The schema is up to date.")
    finally:
        store.close()
    return 0


@db.command("copy", cls=Configured, short_help="Copy a database of SQLite to PostgreSQL.")
def copy(
    source: Annotated[Path, typer.Argument(metavar="SQLITE", help="The file, such as monitor.sqlite.")],
    target: Annotated[str, typer.Argument(metavar="POSTGRES", help="postgresql://user@host/base, empty.")],
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Copy everything in one transaction; counts and hashes of the rows of every table must agree.

    The secret.key of the data folder goes on belonging to the copy.
    """
    with extra():
        from evenhand.monitor.store.copying import copied
    if not source.is_file():
        raise BadOption(f"There is no file {source}.", mend="Give the monitor.sqlite of the data folder.")
    found = copied(source, target, data if data is not None else source.parent)
    if as_json:
        console.emit({"tables": [vars(one) for one in found]})
        return 0
    console.table("copied", ("table", "rows"), [[one.table, str(one.rows)] for one in found])
    console.say("All counts and hashes agree.")
    return 0


@db.command("backup", cls=Configured, short_help="Copy the database while the service runs.")
def backup(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    data: Data = None,
    database: Database = None,
) -> int:
    """Write a whole copy of a database of SQLite, while the service may go on. Keep secret.key as well."""
    with opened(data, database) as store:
        from evenhand.monitor.store.backup import backup as write

        write(store, out)
    console.say(f"Backup: {out}")
    return 0
