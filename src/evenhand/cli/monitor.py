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
from evenhand.errors import BadData, BadOption, MissingExtra

if TYPE_CHECKING:
    from evenhand.monitor.store import Store

ABOUT: dict[str, Any] = {"no_args_is_help": True, "rich_markup_mode": None}
app = typer.Typer(
    help="Watch decisions and answers in production (docs/monitor.md). Everything is in a data folder: "
    "--data, or EVENHAND_MONITOR_DATA, or ~/.local/share/evenhand/monitor.",
    **ABOUT,
)
db = typer.Typer(help="The database: upgrade, downgrade, copy, backup.", **ABOUT)
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
Sso = Annotated[
    Path | None,
    typer.Option("--sso", metavar="FILE.toml", help="Single sign-on: which proxy says in a header who asks."),
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


def operator() -> str:
    """Who works at this terminal, for the chain."""
    import getpass

    try:
        return f"command line: {getpass.getuser()}"
    except (OSError, KeyError):  # a user without a name, as in some containers
        return "command line"


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
    sso: Sso = None,
) -> int:
    """Take events and show figures until it is stopped (Ctrl-C or SIGTERM), finishing what it has begun."""
    with extra():
        from evenhand.monitor.service import serving
        from evenhand.monitor.sso import read_sso
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
        sso=None if sso is None else read_sso(sso),
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
