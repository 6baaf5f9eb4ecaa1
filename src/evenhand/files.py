"""Reading text files with clear errors; writing files completely or not at all.

A file is written under a temporary name beside the target, flushed, then renamed.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

from evenhand.errors import BadData, NoSpace
from evenhand.locks import Lock, attempt, same

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
_NO_PLACE = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}
_HEAD, _TAIL = ".evenhand-", ".tmp"  # of the names of temporary files
_TEMPORARY = re.compile(r"\.evenhand-[0-9a-f]{16}-[a-z0-9_]{8}\.tmp")  # only `_opened` makes such names
_swept: set[Path] = set()


def read_text(path: Path, *, mend: str = "Name a readable file.") -> str:
    """The text of a UTF-8 file, with or without a byte-order mark; `mend` says what to name instead.

    A ``~`` at the head of the path is the user's home.

    Raises:
        BadData: there is no such file, it cannot be read, it is not UTF-8, or it has nothing in it.
    """
    path = expanded(path)
    try:
        held = path.read_bytes()
        text = held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, held, error.start) from None
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror}.", mend=mend) from None
    if not text.strip():
        raise BadData(f"{path} is empty.", mend="Name a file with something in it.")
    check_line_ends(path, text)
    return text


def not_utf8(path: Path, held: bytes, place: int) -> BadData:
    """The error for a file whose first bytes are `held` and whose byte at `place` is not of UTF-8 text."""
    marked = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}.get(held[:2])
    zeros = "UTF-16LE" if held[1:2] == b"\0" else "UTF-16BE" if held[:1] == b"\0" else "LATIN1"
    return BadData(
        f"{path} is not UTF-8 text: byte {place} cannot be read.",
        mend=f"Convert it, for example with: iconv -f {marked or zeros} -t UTF-8 {path} > converted",
    )


def check_line_ends(path: Path, text: str) -> None:
    """Nothing if lines end with line feeds, or there is one line alone.

    Raises:
        BadData: they end with carriage returns alone.
    """
    if "\n" not in text and "\r" in text.rstrip("\r"):
        raise BadData(
            f"{path} ends its lines with carriage returns alone, as old Macintosh programs did.",
            mend=f"Convert it, for example with: tr '\\r' '\\n' < {path} > converted",
        )


def lines(text: str) -> list[str]:
    """The lines of a text, without their ends: a line feed, or a carriage return and a line feed.

    Nothing else ends a line. `str.splitlines` would also cut at a form feed, U+0085, U+2028 and others, which
    are part of the text.
    """
    found = [line.removesuffix("\r") for line in text.split("\n")]
    return found if found[-1] else found[:-1]


def expanded(path: Path) -> Path:
    """`path` with the user's home for a ``~`` at its head; as it is where there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def written_as_path(name: str) -> bool:
    """Whether a name begins as a path does (``./``, ``/`` or ``~``), and none of a hub's names can."""
    return name.startswith((".", "/", "~"))


def is_folder(path: Path | str) -> bool:
    """Whether the path is a folder; False for a name that is too long, where pathlib raises an error."""
    return os.path.isdir(path)  # noqa: PTH112


def parse_json(text: str | bytes, *, repair: bool = False, unique: bool = False) -> Any:
    """The value of a JSON text (as bytes: in UTF-8); with `repair`, half a surrogate pair becomes U+FFFD.

    With `unique` no object may have a key twice, of which Python would keep the last.

    Raises:
        ValueError: it is no JSON, is nested too deeply, has a number of thousands of digits, or text that is
            no Unicode; the message completes a sentence that begins with a name and "is".
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


_DEEP = "nested too deeply: thousands of brackets or braces inside one another"
_LONG = "not readable: it has a number of thousands of digits"


class _Twice(ValueError):
    """An object has a key twice."""


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Twice(f"ambiguous: the key {twice!r} stands twice in one object")
    return found


def _checked(found: Any) -> Any:
    """`found`, unless a text in it has half of a surrogate pair (as ``\\ud800`` writes it), no character."""
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
        ValueError: it is no JSON object; the message follows the line's number.
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
            completes a sentence that begins with a name and "is".
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
    """Turn the system's errors about a path that cannot be written into evenhand's, which say what to do.

    Raises:
        NoSpace: the disk is full, or not writable.
        BadData: the path cannot exist: below a file, too long a name, a folder where a file should be.
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
        if number == errno.ENOENT and _concerns(getattr(error, "filename", None), path):
            raise NoSpace(
                f"{path} cannot be written: its file system allows no new files there.",
                mend="Name another place.",
            ) from error
        raise


def _concerns(name: object, path: Path) -> bool:
    """Whether the file `name` of an error is `path`, beside it, above it, or a temporary file."""
    if not isinstance(name, str | bytes):
        return False
    place, target = (Path(os.path.realpath(one)) for one in (os.fsdecode(name), path))
    return place.parent == target.parent or place in target.parents or bool(_TEMPORARY.fullmatch(place.name))


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
    """The absolute path of `path` with all symbolic links resolved, whether it exists or not.

    Raises:
        BadData: the links form a circle, or the working folder does not exist any more.
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
        BadData: no file can be there: the path lies below a file, a name is too long, or a folder or device
            has this name.
    """
    target = real_path(path)
    with disk_errors(path):
        if target.exists() and not target.is_file():
            raise not_a_file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target, mode=mode) as (_, file):
            file.write(data)


@contextmanager
def whole(target: Path, *, mode: int = 0o644) -> Iterator[tuple[Path, BinaryIO]]:
    """A temporary file beside `target`, which takes its place when the block ends without an error.

    It is for what is written piece by piece, through the open file or, by an engine, under the name. The
    folder has to exist, and `target` has no symbolic link (`real_path`).

    Raises:
        OSError: it cannot be written.
    """
    _sweep_once(target.parent)
    with temporary(target.parent) as (name, file):
        yield name, file
        file.flush()
        with name.open("rb") as written:  # an engine may have put another file under the name
            os.fsync(written.fileno())
        name.chmod(mode)
        name.replace(target)


def not_a_file(path: Path) -> BadData:
    """The error for a place where a file is wanted and something else is."""
    if path.is_dir():
        return BadData(f"{path} is a folder, not a file.", mend="Name a file, such as one inside it.")
    return BadData(f"{path} is a device or a pipe, not a file.", mend="Name a file.")


@contextmanager
def temporary(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """An open, locked file in `folder` under a name that `sweep` recognises; removed unless it was renamed.

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
        handle, made = tempfile.mkstemp(dir=folder, prefix=f"{_HEAD}{token_hex(8)}-", suffix=_TAIL)
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
            if not _TEMPORARY.fullmatch(path.name) or path.is_symlink() or not path.is_file():
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
