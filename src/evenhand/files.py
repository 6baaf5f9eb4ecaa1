"""Reading text whole or saying why not; writing files whole or not at all.

A file is written under a temporary name beside the target, flushed, then renamed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import tomllib
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


def parse_json(text: str | bytes, *, repair: bool = False, unique: bool = False) -> Any:
    """What a JSON text (as bytes: in UTF-8) says; with `repair`, half a surrogate pair becomes U+FFFD.

    With `unique` no object may have a key twice, of which Python would keep the last.

    Raises:
        ValueError: it is no JSON, is nested too deeply, has a number of thousands of digits, or text that is
            no Unicode; the message says which, to stand behind a name and "is".
    """
    try:
        text = text if isinstance(text, str) else text.decode("utf-8-sig")
        found = json.loads(text, object_pairs_hook=_unique_keys if unique else None)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text (byte {error.start} cannot be read)") from None
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in error.doc.strip() else ""
        raise ValueError(f"not JSON ({error.msg} at {line}column {error.colno})") from None
    except RecursionError:
        raise ValueError(_DEEP) from None
    except _Twice:
        raise
    except ValueError:
        raise ValueError(_LONG) from None
    if "\\ud" not in text and "\\uD" not in text:
        return found
    return _repaired(found) if repair else _checked(found)


_DEEP = "nested too deeply: thousands of brackets or braces in each other"
_LONG = "not readable: it has a number of thousands of digits"


class _Twice(ValueError):
    """A key stands twice in one object."""


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Twice(f"ambiguous: the key {twice!r} stands twice in one object")
    return found


def _checked(found: Any) -> Any:
    """Half of a surrogate pair can be written as an escape (``\\ud800``), but it is no character."""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])[1:-1]
        raise ValueError(f"not Unicode text: {half} is half of a surrogate pair, no character") from None
    return found


def _repaired(found: Any) -> Any:
    text = json.dumps(found, ensure_ascii=False)
    return json.loads(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def json_object(line: str) -> dict[str, Any]:
    """One line of JSON lines.

    Raises:
        ValueError: it is no JSON object; the message says why, to stand behind the line's number.
    """
    found = parse_json(line, unique=True)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def read_json_object(path: Path, *, mend: str) -> dict[str, Any]:
    """The JSON object in a file; `mend` says what to do where it holds none.

    Raises:
        BadData: the file cannot be read, or is no JSON object.
    """
    text = read_text(path, mend=mend)
    try:
        return json_object(text)
    except ValueError as error:
        raise BadData(f"{path} cannot be used: it is {error}.", mend=mend) from None


def parse_toml(text: str) -> dict[str, Any]:
    """The table that a TOML text describes.

    Raises:
        ValueError: it is no TOML, is nested too deeply, or has a number of thousands of digits; the message
            says which, to stand behind a name and "is".
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from None
    except RecursionError:
        raise ValueError(_DEEP) from None
    except ValueError:
        raise ValueError(_LONG) from None


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
