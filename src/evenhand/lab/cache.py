"""Cached folders: made once, verified at every use, safe for concurrent processes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

from evenhand.errors import NoSpace
from evenhand.folders import MARK, cache_folder, replace_folder, set_aside, settle, sole_writer
from evenhand.hashing import file_sha256

SUMS = "SHA256SUMS"


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `make` fills an empty folder with it when it is not there or damaged.

    It is made beside its place and renamed in one step, so that no process ever reads an incomplete folder;
    of two processes that need the same one, the second waits for the first and uses its result.

    Warns:
        UserWarning: a file was changed, lost or added since the folder was made; it is renamed to
            ``NAME.damaged`` and made again.

    Raises:
        NoSpace: the cache cannot be written.
    """
    place = cache_folder() / name
    settle(place)
    if intact(place):
        return place
    try:
        with sole_writer(place):
            _mended(place, make)
    except NoSpace as error:
        raise NoSpace(
            f"The lab model cannot be kept in {place.parent}: {error.what}",
            mend="Make room, or let the variable EVENHAND_CACHE name a folder that can be written.",
        ) from None
    return place


def _mended(place: Path, make: Callable[[Path], None]) -> None:
    """Make the folder where it is missing or damaged; the caller is its only writer."""
    if intact(place):
        return  # another process has made it meanwhile
    if os.path.lexists(place):
        aside = set_aside(place, place.with_name(f"{place.name}.damaged"))
        warnings.warn(
            f"The cached lab model in {place} is damaged; it is made again, and this one is now {aside}.",
            stacklevel=3,
        )
    with replace_folder(place, kind="lab model") as draft:
        make(draft)
        (draft / SUMS).write_text(_sums(draft), "utf-8")


def intact(place: Path) -> bool:
    """Whether the folder is there with exactly the files, bit for bit, that it was made with."""
    try:
        noted = (place / SUMS).read_text("utf-8")
    except OSError:
        return False
    return noted == _sums(place)


def _sums(folder: Path) -> str:
    """One line ``digest  name`` a file, as sha256sum writes them, sorted by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in {SUMS, MARK})
    return "".join(f"{file_sha256(path)}  {path.name}\n" for path in files)
