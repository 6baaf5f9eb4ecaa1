"""Folders that are made once, checked at every use, and safe when two processes want the same one."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from evenhand.errors import NoSpace
from evenhand.paths import cache_folder

SUMS = "SHA256SUMS"


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `make` fills an empty folder with it when it is not there or damaged.

    It is made beside its place and renamed in one step, so that nobody ever sees half of it; of two
    processes that want the same one, the second waits for the first and uses its result.

    Warns:
        UserWarning: a file was changed, lost or added since the folder was made; it is made again.

    Raises:
        NoSpace: the cache cannot be written.
    """
    place = cache_folder() / name
    if intact(place):
        return place
    from filelock import FileLock

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.parent / f".{place.name}.lock"):
            _mended(place, make)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        raise NoSpace(
            f"The lab model cannot be kept in {place.parent}: {error.strerror}.",
            mend="Make room, or let the variable EVENHAND_CACHE name a folder that can be written.",
        ) from None
    return place


def _mended(place: Path, make: Callable[[Path], None]) -> None:
    """Make the folder where it is missing or damaged; the caller holds its lock."""
    if intact(place):
        return  # another process has made it meanwhile
    if place.exists():
        warnings.warn(f"The cached lab model in {place} is damaged; it is made again.", stacklevel=3)
        _remove(place)
    _make(place, make)


def intact(place: Path) -> bool:
    """Whether the folder is there with exactly the files, bit for bit, that it was made with."""
    try:
        noted = (place / SUMS).read_text("utf-8")
    except OSError:
        return False
    return noted == _sums(place)


def _sums(folder: Path) -> str:
    """One line ``digest  name`` a file, as sha256sum writes them, sorted by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def _make(place: Path, make: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(
        dir=place.parent, prefix=f".{place.name}-", ignore_cleanup_errors=True
    ) as own:
        draft = Path(own) / "draft"
        draft.mkdir()
        make(draft)
        (draft / SUMS).write_text(_sums(draft), "utf-8")
        draft.rename(place)


def _remove(place: Path) -> None:
    """Move the folder out of the way first: another process may be reading it."""
    with tempfile.TemporaryDirectory(
        dir=place.parent, prefix=f".{place.name}-", ignore_cleanup_errors=True
    ) as away:
        place.rename(Path(away) / "damaged")
        shutil.rmtree(Path(away) / "damaged", ignore_errors=True)
