"""Where DuckDB puts what does not fit into its memory: a folder of this process's own, removed in the end.

A killed process cannot remove its folder. The next one does, and only such as have this program's mark and
that no process has locked.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

from evenhand.locks import Lock, attempt, same

_HEAD = "evenhand-duckdb-"
_MARK = re.compile(r"evenhand-duckdb-[a-z0-9_]{8}")
_own: dict[int, Path] = {}  # by process, for a forked one needs its own


def spill_folder() -> Path:
    """This process's folder, which is locked as long as it runs; leftovers of others are removed first.

    Raises:
        OSError: it cannot be made.
    """
    process = os.getpid()
    if process not in _own:
        place = Path(tempfile.gettempdir())
        sweep(place)
        _own[process] = _made(place)
        atexit.register(_removed, process)
    return _own[process]


def sweep(place: Path) -> None:
    """Remove the folders in `place` that killed processes of this user left."""
    for path in sorted(place.glob(f"{_HEAD}*")):
        if not _MARK.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            continue
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:  # of another user, or gone by now
            continue
        try:
            if os.fstat(handle).st_uid == os.getuid() and attempt(handle) is Lock.HELD and same(handle, path):
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(handle)


def _made(place: Path) -> Path:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_HEAD, dir=place))
        handle = os.open(path, os.O_RDONLY)  # stays open, and with it the lock
        attempt(handle)
        if same(handle, path):
            return path
        os.close(handle)  # another process swept it before it was locked


def _removed(process: int) -> None:
    if process == os.getpid():
        shutil.rmtree(_own[process], ignore_errors=True)
