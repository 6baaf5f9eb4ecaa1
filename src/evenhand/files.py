"""Reading text whole or saying why not; writing files whole or not at all.

A file is written under a temporary name beside the target, flushed, then renamed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evenhand.errors import BadData, NoSpace

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


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
    if "\n" not in text and "\r" in text.rstrip("\r"):
        raise BadData(
            f"{path} ends its lines with carriage returns alone, as old Macintosh programs did.",
            mend=f"Convert it, for example with: tr '\\r' '\\n' < {path} > converted",
        )
    return text


def lines(text: str) -> list[str]:
    """The lines of a text, without their ends: a line feed, or a carriage return and a line feed.

    Nothing else ends a line. `str.splitlines` would also cut at a form feed, U+0085, U+2028 and others, which
    are part of what somebody wrote.
    """
    found = [line.removesuffix("\r") for line in text.split("\n")]
    return found if found[-1] else found[:-1]


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
        found = json.loads(line, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:  # a key twice, thousands of digits, or of brackets
        raise ValueError(f"cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: an object whose keys are all different, where Python would keep the last of two.

    Raises:
        ValueError: a key stands twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a `NoSpace` that names the place and the mend."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise NoSpace(
            f"{path} cannot be written: {error.strerror}.",
            mend="Free some space or name another folder with --out; the same command then resumes.",
        ) from error


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path`: readers see the old file or the whole new one, also after a crash.

    `mode` is who may read and write the file.

    Raises:
        NoSpace: the disk is full or not writable; the old file is untouched.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `folder` when the block ends without an error.

    Raises:
        NoSpace: the disk is full or not writable; the old folder is untouched.
    """
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            yield temporary
            temporary.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            temporary.replace(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
