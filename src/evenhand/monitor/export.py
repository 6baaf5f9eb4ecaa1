"""A signed export for outside auditors: a folder that `verifier.py` in it checks without evenhand.

``events.jsonl`` and ``labels.jsonl`` (one record a line, with the salt by which its digest in the chain can
be made again), the same events as parquet, ``cells.jsonl`` (the counts of figures), ``chain.jsonl``,
``settings.json``, ``policy.toml``, ``profiles/``, ``manifest.json`` (SHA-256 of every file), its Ed25519
signature, the public key, and the verifier. Texts of people are not exported.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from evenhand import __version__
from evenhand.errors import BadOption
from evenhand.files import disk_errors
from evenhand.monitor import chain, verifier
from evenhand.monitor.profiles import FOLDER as PROFILES
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.tables import cells, groups, streams, use_cases

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

ROWS = 2000  # of a part of the parquet file
_README = """An export of evenhand's monitor, version {version}, made {made}.

Check it:      python verifier.py .
               python verifier.py . --head NUMBER:HEAD     (a head of the chain that was published earlier)
Use cases:     {use_cases}
Head:          {head}

It is evidence for what was decided and counted; it does not say that any law is met. The chain shows that
nothing was altered after it was recorded. It cannot show that everything was sent to the monitor, nor that
what was sent was true. Contents that were erased, or belong to other use cases, are left out; their digests
stay.
"""


@dataclass(frozen=True)
class Contents:
    """What goes into an export.

    Attributes:
        use_cases: those whose records are in it; None for all.
        settings: of the service, without secrets.
        policy: the text of the policy file; empty for none.
        parquet: whether the events are written as parquet as well.
    """

    use_cases: Collection[str] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""
    parquet: bool = True

    def holds(self, use_case: str | None) -> bool:
        """Whether records of `use_case` are in it; what belongs to none is of the whole service."""
        return self.use_cases is None or use_case in self.use_cases


@dataclass(frozen=True)
class Exported:
    """An export: where it is, its newest head (``NUMBER:HEAD``), the key that signed it, how many records."""

    folder: Path
    head: str
    key: str
    records: Mapping[str, int]


def signing_key(secret: bytes) -> Ed25519PrivateKey:
    """The key that signs, made from the secret of the service, so that all replicas have the same."""
    return Ed25519PrivateKey.from_private_bytes(hmac.new(secret, b"signing", hashlib.sha256).digest())


def public_key(secret: bytes) -> str:
    """The public key in hexadecimal: publish it beside the heads."""
    return signing_key(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def export(store: Store, out: Path, contents: Contents | None = None) -> Exported:
    """Write an export to the new folder `out`, as the database is at one moment.

    Raises:
        BadOption: `out` is there already.
        NoSpace: the disk is full or not writable; nothing is left.
        StoreUnavailable: the database does not answer.
    """
    wanted = contents or Contents()
    if out.exists():
        raise BadOption(f"{out} is there already.", mend="Name a new folder for the export.")
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        working = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            made = _written(store, working, wanted)
            working.chmod(0o755)
            working.rename(out)
        except BaseException:
            shutil.rmtree(working, ignore_errors=True)
            raise
    return Exported(out, *made)


def _written(store: Store, folder: Path, wanted: Contents) -> tuple[str, str, dict[str, int]]:
    with store.reading() as connection:
        if not store.sqlite:  # SQLite reads one state anyhow
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        records = _records(connection, store.secret, folder, wanted)
        number, _, head = chain.head(connection).partition(":")
        names = [one for one in connection.scalars(select(use_cases.c.name)) if wanted.holds(one)]
    made = utc_now().isoformat()
    facts = {"version": __version__, "made": made, "use_cases": ", ".join(sorted(names)) or "none yet"}
    (folder / "README.txt").write_text(_README.format(**facts, head=f"{number}:{head}"), encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps(dict(wanted.settings), indent=1, sort_keys=True))
    if wanted.policy:
        (folder / "policy.toml").write_text(wanted.policy, encoding="utf-8")
    shutil.copytree(PROFILES, folder / "profiles", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copyfile(verifier.__file__, folder / "verifier.py")
    _sign(store.secret, folder, {"head": head, "entries": int(number), "made": made, "version": __version__})
    return f"{number}:{head}", public_key(store.secret), records


def _sign(secret: bytes, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the manifest of everything that is in `folder`, and its signature."""
    files = {}
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        whole, blocks = verifier.blocks_of(path)
        name = path.relative_to(folder).as_posix()
        files[name] = {"bytes": path.stat().st_size, "sha256": whole, "blocks": blocks}
    manifest = json.dumps({**facts, "files": files}, indent=1, sort_keys=True).encode()
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.sig").write_text(signing_key(secret).sign(manifest).hex() + "\n")
    (folder / "public.key").write_text(public_key(secret) + "\n")


def _records(connection: Connection, secret: bytes, folder: Path, wanted: Contents) -> dict[str, int]:
    counts = {"chain": _lines(folder / "chain.jsonl", _entries(connection, wanted))}
    with (folder / "labels.jsonl").open("w", encoding="utf-8") as labels:
        counts["labels"] = 0

        def events() -> Iterator[dict[str, Any]]:
            for item in chain.items(connection, secret):
                if not (item.salt and wanted.holds(item.use_case)):
                    continue
                record = {
                    "entry": item.entry,
                    "place": item.place,
                    "salt": item.salt.hex(),
                    "content": item.content,
                }
                if item.kind == chain.EVENTS:
                    yield record
                else:
                    labels.write(json.dumps(record) + "\n")
                    counts["labels"] += 1

        counts["events"] = _lines(folder / "events.jsonl", events())
    counts["cells"] = _lines(folder / "cells.jsonl", _cells(connection, wanted))
    if wanted.parquet:
        _parquet(folder / "events.jsonl", folder / "events.parquet")
    return counts


def _entries(connection: Connection, wanted: Contents) -> Iterator[dict[str, Any]]:
    """The chain; what other use cases recorded stands in it as what was erased does, by its digest."""
    for entry in chain.entries(connection):
        others = entry["use_case"] is not None and not wanted.holds(entry["use_case"])
        yield {**entry, "salt": None, "content": None} if others else entry


def _cells(connection: Connection, wanted: Contents) -> Iterator[dict[str, Any]]:
    query = (
        select(
            use_cases.c.name.label("use_case"),
            streams.c.model,
            streams.c.version,
            groups.c.attribute,
            groups.c.value,
            cells,
        )
        .join(streams, streams.c.id == cells.c.stream_id)
        .join(use_cases, use_cases.c.id == streams.c.use_case_id)
        .join(groups, groups.c.id == cells.c.group_id)
        .order_by(cells.c.stream_id, cells.c.day, cells.c.group_id)
    )
    for row in connection.execute(query).mappings():
        if wanted.holds(row["use_case"]):
            kept = {name: value for name, value in row.items() if name not in ("stream_id", "group_id")}
            yield {**kept, "day": row["day"].isoformat()}


def _lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            count += 1
    return count


def _parquet(source: Path, target: Path) -> None:
    """The contents of the records of `source` as a table; attributes as one column of JSON."""
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet

    texts = ("use_case", "model", "version", "prediction_id", "kind", "time", "attributes")
    schema = pa.schema(
        [(name, pa.string()) for name in texts]
        + [(name, pa.float64()) for name in ("score", "toxicity")]
        + [(name, pa.int64()) for name in ("decision", "refused", "length")]
    )
    with source.open(encoding="utf-8") as lines, parquet.ParquetWriter(target, schema) as writer:
        rows: list[dict[str, Any]] = []
        for line in lines:
            row = json.loads(json.loads(line)["content"])
            rows.append({**row, "attributes": json.dumps(row["attributes"])})
            if len(rows) == ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))
