"""File locks for one process at a time; the system releases them when the process ends, however it ends.

A lock is `flock` on an open file or folder, so nothing has to be cleaned up after a kill. Where a system or a
file system has no such locks, no process waits, and files of processes that may still run are not touched.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TypeVar

from evenhand.progress import task

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")
PAUSE = 0.05  # seconds between two attempts
_owners: dict[Path, int] = {}  # each folder that this process has locked: the thread that holds the lock


class Lock(Enum):
    """What became of an attempt to lock."""

    HELD = "ours until the file is closed"
    BUSY = "another holds it"
    UNKNOWN = "there are no locks here"


def attempt(handle: int) -> Lock:
    """Try to lock an open file or folder; it is free again when it is closed or its process ends."""
    if fcntl is None:
        return Lock.UNKNOWN
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return Lock.BUSY if error.errno in {errno.EAGAIN, errno.EACCES} else Lock.UNKNOWN
    return Lock.HELD


def waited(place: Path, trial: Callable[[], T | None]) -> T:
    """The first result of `trial` that is not None; the wait is shown as progress."""
    found = trial()
    if found is None:
        with task(f"waiting for another process that writes to {place}", unit="attempt") as advance:
            while (found := trial()) is None:
                time.sleep(PAUSE)
                advance(1)
    return found


def mine(place: Path) -> bool:
    """Whether this thread is inside `owning(place)`."""
    return _owners.get(place) == threading.get_ident()


@contextmanager
def owning(place: Path) -> Iterator[None]:
    """Note that this thread holds the lock of `place`, so that it does not wait for itself."""
    _owners[place] = threading.get_ident()
    try:
        yield
    finally:
        del _owners[place]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make `folder` if it does not exist, and hold its lock; other processes wait.

    The folder itself is what is locked: no file is left in it. It is removed again if it stays empty.

    Raises:
        OSError: it cannot be made or opened.
    """
    real = Path(os.path.realpath(folder))
    if mine(real):
        yield
        return
    made = make_folders(real)
    handle = waited(folder, lambda: locked(real))
    try:
        with owning(real):
            yield
    finally:
        remove_empty(made)  # while it is locked, so that no other process uses it yet
        close(handle)


def locked(folder: Path) -> int | None:
    """A handle that holds the lock of `folder`, which is made if need be; None while another holds it.

    Without locks (see `Lock.UNKNOWN`) the handle holds none; on a system without `fcntl` it is -1.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)  # its last user may have removed it
        handle = -1 if fcntl is None else os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except (FileExistsError, FileNotFoundError) as error:
        if _blocked(folder):
            raise
        if isinstance(error, FileNotFoundError) and _forbids_folders(folder):
            raise
        return None  # its last user removed it just now
    if handle < 0:
        return handle
    if attempt(handle) is Lock.BUSY or not same(handle, folder):
        os.close(handle)
        return None
    return handle


def _blocked(folder: Path) -> bool:
    """Whether something that is no folder stands there."""
    return os.path.lexists(folder) and not folder.is_dir()


def _forbids_folders(folder: Path) -> bool:
    """Whether the file system allows no folder there, as below /proc: waiting would never end."""
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        absent[-1].mkdir()
    except FileNotFoundError:
        return absent[-1].parent.is_dir()
    except (OSError, IndexError):
        pass
    return False


def held(handle: int) -> bool:
    """Whether the handle that `locked` gave holds a lock; False where the system has no locks."""
    return handle >= 0 and attempt(handle) is Lock.HELD


def close(handle: int) -> None:
    """Release what `locked` returned."""
    if handle >= 0:
        os.close(handle)


def same(handle: int, path: Path) -> bool:
    """Whether the open file still is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def make_folders(folder: Path) -> list[Path]:
    """Make `folder` and the folders above it; returns those that were not there, the deepest first."""
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    with suppress(FileNotFoundError):  # another process removes what it made; `locked` makes it again
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            if _blocked(folder):
                raise
    return absent


def remove_empty(made: list[Path]) -> None:
    """Remove the folders of `make_folders` that are empty."""
    with suppress(OSError):
        for folder in made:
            folder.rmdir()
