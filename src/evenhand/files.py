"""Reading text whole or saying why not; writing files whole or not at all.

A file is written under a temporary name beside the target, flushed, then renamed.
"""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from evenhand.errors import BadData, NoSpace
from evenhand.locks import Lock, attempt, same

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_NO_PLACE = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}
_HEAD, _TAIL = ".evenhand-", ".tmp"  # of the names of temporary files
_swept: set[Path] = set()


def read_text(path: Path, *, mend: str = "Name a readable file.") -> str:
    """The text of a UTF-8 file, with or without a byte-order mark; `mend` says what to name instead.

    A ``~`` at the head of the path is the user's home.

    Raises:
        BadData: there is no such file, it cannot be read, it is not UTF-8, or it has nothing in it.
    """
    path = expanded(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadData(
            f"{path} is not UTF-8 text: byte {error.start} cannot be read.",
            mend=f"Convert it, for example with: iconv -f LATIN1 -t UTF-8 {path} > converted",
        ) from None
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror}.", mend=mend) from None
    if not text.strip():
        raise BadData(f"{path} is empty.", mend="Name a file with something in it.")
    return text


def expanded(path: Path) -> Path:
    """`path` with the user's home for a ``~`` at its head; as it is where there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def json_object(line: str) -> dict[str, Any]:
    """One line of JSON lines.

    Raises:
        ValueError: it is no JSON object; the message says why, to stand behind the line's number.
    """
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:  # thousands of digits, or of brackets
        raise ValueError(f"cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the system says about a place that cannot be written into one sentence with the mend.

    Raises:
        NoSpace: the disk is full, or not writable.
        BadData: the place cannot exist: below a file, too long a name, a folder where a file should be.
    """
    try:
        yield
    except Exception as error:
        number = _errno(error)
        if number in _NO_ROOM:
            raise NoSpace(
                f"{path} cannot be written: {os.strerror(number)}.",
                mend="Free some space or name another folder with --out; the same command then resumes.",
            ) from error
        if number in _NO_PLACE:
            raise BadData(
                f"{path} cannot be written: {os.strerror(number)}.", mend="Name another place."
            ) from error
        raise


def _errno(error: Exception) -> int:
    """The system's number for what went wrong; 0 where it is something else."""
    if isinstance(error, OSError):
        return error.errno or 0
    # safetensors writes files itself and hands the system's error on as a text.
    found = (
        re.search(r"\(os error (\d+)\)", str(error)) if type(error).__name__ == "SafetensorError" else None
    )
    return int(found[1]) if found else 0


def real_path(path: Path | str) -> Path:
    """The absolute place of `path` behind all symbolic links, whether anything is there or not.

    Raises:
        BadData: the links go in a circle, or the working folder is gone.
    """
    try:
        place = Path(os.path.realpath(path))
    except FileNotFoundError:
        raise BadData("The working folder is gone.", mend="Change to a folder that exists.") from None
    if os.path.islink(place):  # noqa: PTH114  # unlike pathlib's, it takes names that are too long
        raise BadData(f"{path} is a symbolic link that leads back to itself.", mend="Name another place.")
    return place


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path`: readers see the old file or the whole new one, also after a crash.

    A symbolic link stays one: the file that it leads to is replaced. `mode` are the new file's permissions.

    Raises:
        NoSpace: the disk is full or not writable; the old file is untouched.
        BadData: there can be no file: below a file, too long a name, or something else is there.
    """
    target = real_path(path)
    with disk_errors(path):
        if target.exists() and not target.is_file():
            raise not_a_file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(target.parent)
        with temporary(target.parent) as (name, file):
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            name.chmod(mode)
            name.replace(target)


def not_a_file(path: Path) -> BadData:
    """The error for a place where a file is wanted and something else is."""
    if path.is_dir():
        return BadData(f"{path} is a folder, not a file.", mend="Name a file, such as one inside it.")
    return BadData(f"{path} is a device or a pipe, not a file.", mend="Name a file.")


@contextmanager
def temporary(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """An open, locked file in `folder` under a name that `sweep` knows; it is removed unless it was renamed.

    Raises:
        OSError: it cannot be made.
    """
    name, file = _opened(folder)
    try:
        yield name, file
    finally:
        name.unlink(missing_ok=True)
        file.close()


def _opened(folder: Path) -> tuple[Path, BinaryIO]:
    while True:
        handle, made = tempfile.mkstemp(dir=folder, prefix=_HEAD, suffix=_TAIL)
        attempt(handle)
        if same(handle, Path(made)):
            return Path(made), os.fdopen(handle, "wb")
        os.close(handle)  # another process swept it before it was locked


def sweep(folder: Path) -> None:
    """Remove the temporary files in `folder` that killed processes left: those that no process has locked.

    Raises:
        NoSpace: they cannot be removed.
    """
    with disk_errors(folder):
        for path in sorted(folder.glob(f"{_HEAD}*{_TAIL}")) if folder.is_dir() else ():
            if path.is_symlink() or not path.is_file():
                continue
            with suppress(FileNotFoundError):  # its process has just finished
                handle = os.open(path, os.O_RDONLY)
                try:
                    if attempt(handle) is Lock.HELD and same(handle, path):
                        path.unlink()
                finally:
                    os.close(handle)


def _sweep_once(folder: Path) -> None:
    """`sweep`, but once in a process: it lists the whole folder."""
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)
