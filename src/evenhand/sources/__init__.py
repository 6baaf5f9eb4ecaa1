"""Sources: where benchmark data comes from, and where it is stored.

One table (``catalogue.toml``) names every file with its address, licence, size and SHA-256. A file is looked
for below the folder given with ``--data-dir`` (`folder_in_use`), below the one that ``EVENHAND_DATA`` names,
and in the cache that `evenhand data pull` fills, in this order; each has the layout of the table's paths.
In each of these places it is read only if its SHA-256 is that of the table. Nothing here opens a connection;
`evenhand.sources.pulling` does, and only when asked.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from evenhand.decimals import fixed
from evenhand.errors import BadData, UnknownName
from evenhand.files import is_folder
from evenhand.folders import cache_folder, set_aside
from evenhand.hashing import file_sha256

VARIABLE = "EVENHAND_DATA"
ASIDE = ".quarantined"
PART = ".part"  # a pull that is not finished
_chosen: ContextVar[Path | None] = ContextVar("evenhand_data_dir", default=None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the table.

    `name` is its path below a data folder, such as ``stereoset/predictions.json``; `size` is in bytes; `rows`
    counts its records; `copied` is True where `url` is not the authors' own address but a copy of the bytes.
    """

    name: str
    title: str
    url: str
    licence: str
    size: int
    sha256: str
    rows: int = 0
    copied: bool = False

    @property
    def dataset(self) -> str:
        """The data set that the file belongs to: the first part of its name."""
        return self.name.partition("/")[0]


@cache
def entries() -> tuple[Entry, ...]:
    """Every file of the table, data set by data set."""
    text = Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8")
    return tuple(
        Entry(
            name=file["path"],
            title=group["title"],
            url=file.get("url") or _address(origin["repository"], origin["commit"], file["at"]),
            licence=origin["licence"],
            size=file["bytes"],
            sha256=file["sha256"],
            rows=file["rows"],
            copied=origin.get("copied", False) and "url" not in file,
        )
        for group in tomllib.loads(text)["set"]
        for origin in group["origin"]
        for file in origin["files"]
    )


def _address(repository: str, commit: str, at: str) -> str:
    from urllib.parse import quote

    return f"https://raw.githubusercontent.com/{repository}/{commit}/{quote(at)}"


def entry(name: str) -> Entry:
    """The file of that name.

    Raises:
        UnknownName: the table has no such file.
    """
    found = {e.name: e for e in entries()}
    if name not in found:
        raise UnknownName("data file", name, found)
    return found[name]


def matching(name: str) -> tuple[Entry, ...]:
    """The files that `name` denotes: one file, or all below a folder such as ``bbq`` or ``bbq/templates``.

    Raises:
        UnknownName: nothing is named like that.
    """
    wanted = name.strip("/")
    found = tuple(e for e in entries() if e.name == wanted or e.name.startswith(wanted + "/"))
    if not found:
        raise UnknownName("data set", name, {e.dataset for e in entries()})
    return found


@contextmanager
def folder_in_use(folder: Path | None) -> Iterator[None]:
    """Look below `folder` first while the context lasts (``--data-dir``); None changes nothing.

    Raises:
        BadData: there is no such folder.
    """
    if folder is not None and not is_folder(folder):
        raise BadData(f"The data folder {folder} does not exist.", mend="Name an existing folder.")
    token = _chosen.set(folder or _chosen.get())
    try:
        yield
    finally:
        _chosen.reset(token)


def pulled_folder() -> Path:
    """Where `evenhand data pull` puts files; it may not exist yet."""
    return cache_folder() / "data"


def folders() -> tuple[Path, ...]:
    """Where files are looked for, in order."""
    named = os.environ.get(VARIABLE)
    places = (_chosen.get(), Path(named).expanduser() if named else None, pulled_folder())
    return tuple(place for place in places if place is not None)


def find(wanted: Entry) -> Path | None:
    """The path of the file, its content unchecked; None if it is in no folder."""
    return next((folder / wanted.name for folder in folders() if (folder / wanted.name).is_file()), None)


def path(name: str) -> Path:
    """The path of the file `name` of the table, its content verified.

    Raises:
        UnknownName: the table has no such file.
        BadData: it is in none of the `folders` (the message says what to type), or it is not the file that
            the table describes: then it is renamed aside and named.
    """
    return paths([name])[0]


def paths(names: Sequence[str]) -> list[Path]:
    """The files `names` of the table, in order, each as `path` gives it.

    Raises:
        UnknownName, BadData: as for `path`; all that are absent are named at once.
    """
    wanted = [entry(name) for name in names]
    found = [(e, place) for e in wanted if (place := find(e)) is not None]
    if len(found) < len(wanted):
        raise absent([e for e in wanted if find(e) is None])
    for e, place in found:
        check(place, e)
    return [place for _, place in found]


def absent(missing: Sequence[Entry]) -> BadData:
    """The error for missing files, with the command that fetches them."""
    names = ", ".join(e.name for e in missing[:5]) + (" and more" if len(missing) > 5 else "")
    by_set: dict[str, list[Entry]] = {}
    for e in missing:
        by_set.setdefault(e.dataset, []).append(e)
    targets = [found[0].name if len(found) == 1 else dataset for dataset, found in by_set.items()]
    pulled = [e for target in targets for e in matching(target)]
    size, licences = sum(e.size for e in pulled), "; ".join(dict.fromkeys(e.licence for e in pulled))
    return BadData(
        f"The data {names} is not on this machine (looked in {', '.join(map(str, folders()))}).",
        mend=f"Fetch it ({fixed(size / 1e6, 1)} MB, {licences}) with: "
        f"evenhand data pull {' '.join(targets)}. Or set {VARIABLE} (or --data-dir) to a "
        "folder that holds it under that path.",
    )


def check(place: Path, wanted: Entry) -> None:
    """Check that `place` holds exactly the bytes that the table describes.

    Raises:
        BadData: it does not; the file is renamed (``.quarantined``) where the folder allows it.
    """
    status = place.stat()
    found = _sha256(place, status.st_size, status.st_mtime_ns)
    if found == wanted.sha256:
        return
    raise BadData(
        f"{place} is not the file {wanted.name} that evenhand knows: it has {status.st_size} bytes and "
        f"SHA-256 {found[:12]}..., not {wanted.size} bytes and {wanted.sha256[:12]}... {quarantine(place)}",
        mend=f"Fetch the right one with: evenhand data pull {wanted.name}",
    )


def quarantine(place: Path) -> str:
    """Rename a wrong file, so that it is not read by mistake; returns a sentence on what was done."""
    try:
        aside = set_aside(place, place.with_name(place.name.removesuffix(PART) + ASIDE))
    except OSError:
        return "It was not read; it lies in a folder that cannot be written, so it is still there."
    return f"It was not read and is now {aside.name}."


@lru_cache(maxsize=512)
def _sha256(place: Path, size: int, changed: int) -> str:
    """The SHA-256 of the file; `size` and `changed` (ns) invalidate the cached one when the file changes."""
    return file_sha256(place)
