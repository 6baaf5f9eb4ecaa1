"""Folders that are written as a whole: the one place where a folder is replaced or removed.

Such a folder carries a mark, ``.evenhand.json``, which lists its files with their SHA-256. Only what is
empty, or has a mark and exactly the files of that mark, is ever replaced: a folder with other or changed
files is refused.

While a folder NAME is written, a working folder ``.NAME.evenhand`` stands beside it. It is the lock (see
`evenhand.locks`) and holds the new folder until it is whole, then the old one while the new one takes its
place. So after a kill at any instant either the old folder or the new one is whole, and the next writer or
reader completes the replacement or undoes it (`sole_writer`, `settle`).
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from evenhand.errors import BadData, EnvironmentProblem, UsageError, listed
from evenhand.files import disk_errors, is_folder, real_path
from evenhand.hashing import file_sha256
from evenhand.locks import close, held, locked, make_folders, mine, owning, remove_empty, waited

MARK = ".evenhand.json"
FORMAT = "evenhand/folder/1"
WORKING = ".evenhand"  # ends the name of a working folder
NOTE = "about-this-folder.txt"
_CACHE_MEND = "Let the variable EVENHAND_CACHE name a folder."
_NEW, _OLD, _GONE = "new", "old", "removed"
_TEXT = (
    "evenhand uses this folder while it writes the folder of the same name beside it. If no evenhand\n"
    "command is running, one was killed: run it again, and it completes or restores that folder and\n"
    "removes this one.\n"
)


def check_replaceable(folder: Path | str) -> None:
    """Refuse, before any work, a folder that `replace_folder` could not replace.

    Raises:
        BadData: it holds what evenhand did not write or what was changed since, or it is a file.
        UsageError: it is the working folder, one above that, the home folder or a mount point.
    """
    target = real_path(folder)
    with disk_errors(Path(folder)):
        _check_place(folder, target)
        if os.path.lexists(target) and not target.is_dir():
            raise BadData(f"{folder} is a file, not a folder.", mend="Name another folder.")
        if target.is_dir() and (reason := _foreign(target)):
            raise BadData(
                f"{folder} is not replaced: {reason}.",
                mend="Name a new or an empty folder, or move what is in this one elsewhere.",
            )


def _check_place(folder: Path | str, target: Path) -> None:
    here, home = Path.cwd(), Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111
    if target in {home, here, *here.parents} or target.is_mount():
        raise UsageError(
            f"{folder} is {_role(target, here)}, which evenhand does not replace by another folder.",
            mend="Name a folder inside it, such as ./treated.",
        )


def _role(target: Path, here: Path) -> str:
    if target == here:
        return "the working folder"
    return (
        "a folder above the working folder" if target in here.parents else "the home folder or a whole disk"
    )


@contextmanager
def replace_folder(folder: Path | str, *, kind: str = "folder") -> Iterator[Path]:
    """A new folder that takes the place of `folder`, with a mark, when the block ends without an error.

    The mark says the `kind` of thing that the folder holds, for `remove_written`.

    Behind a symbolic link the real folder is replaced, and the link stays. Of two processes the second waits.

    Raises:
        NoSpace: the disk is full or not writable; the old folder is untouched.
        BadData, UsageError: it may not be replaced; see `check_replaceable`.
    """
    target = real_path(folder)
    with disk_errors(Path(folder)):
        _check_place(folder, target)
    with disk_errors(Path(folder)), sole_writer(target):
        check_replaceable(folder)
        working = _working_folder(target)
        new = working / _NEW
        new.mkdir()
        try:
            yield new
            if target.is_dir():
                shutil.copymode(target, new)
            _write_mark(new, kind)
            _swap(folder, target, working)
        except BaseException:
            _recover(target)
            raise


def _swap(folder: Path | str, target: Path, working: Path) -> None:
    """The old folder aside, the new one in its place, then the old one deleted."""
    if target.is_dir():
        target.rename(working / _OLD)
        if reason := _foreign(working / _OLD):  # changed meanwhile: `_recover` restores it
            raise BadData(f"{folder} is not replaced: {reason}.", mend="Name another folder.")
    (working / _NEW).rename(target)
    _delete(working / _OLD)


@contextmanager
def sole_writer(folder: Path | str) -> Iterator[None]:
    """Hold the lock for writing `folder` as a whole; other processes wait.

    What a killed process left is restored or removed, at the beginning and at the end.

    Raises:
        NoSpace: the disk is not writable.
        BadData: the working folder's name is taken by something else.
    """
    target = real_path(folder)
    if mine(target):
        yield
        return
    with disk_errors(Path(folder)):
        made = make_folders(target.parent)
        working = _working_folder(target)
        if os.path.lexists(working) and (working.is_symlink() or not working.is_dir()):
            raise _taken(working)
        handle = waited(Path(folder), lambda: locked(working))
    try:
        with owning(target):
            with disk_errors(Path(folder)):
                _recover(target)
                (working / NOTE).write_text(_TEXT, encoding="utf-8")
            yield
    finally:
        _leave(target, handle)
        remove_empty(made)


def _leave(target: Path, handle: int) -> None:
    """Remove the working folder and release its lock."""
    with suppress(OSError, BadData):
        _recover(target)
        (_working_folder(target) / NOTE).unlink(missing_ok=True)
        _working_folder(target).rmdir()
    close(handle)


def settle(folder: Path) -> None:
    """Complete or undo what a killed process left beside `folder`, before it is read; errors are ignored.

    It waits only for a writer that has just moved the old folder aside, not for one that is at work.
    """
    target = Path(os.path.realpath(folder))
    if not target.name or not is_folder(working := _working_folder(target)):
        return
    with suppress(OSError):
        moved = not target.exists() and (working / _OLD).is_dir()
        handle = waited(folder, lambda: locked(working)) if moved else locked(working)
        if handle is not None and held(handle):
            _leave(target, handle)
        elif handle is not None:  # without locks it is unknown whether its process still runs
            close(handle)


def remove_written(folder: Path, *, kind: str) -> None:
    """Remove what `replace_folder` wrote of that `kind` in `folder`, and `folder` if nothing else is left.

    Raises:
        NoSpace: the disk is not writable.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    with disk_errors(folder):
        for working in list(folder.glob(f".*{WORKING}")):
            with suppress(BadData), sole_writer(folder / working.name[1 : -len(WORKING)]):
                pass  # what a killed process left
        for child in list(folder.iterdir()):
            if not child.is_symlink() and _read_mark(child)[0] == kind and not _foreign(child):
                with sole_writer(child):
                    child.rename(_working_folder(child) / _GONE)
        with suppress(OSError):
            folder.rmdir()


def set_aside(path: Path, wanted: Path) -> Path:
    """Rename `path` to `wanted`, or to that with a number behind it where it is taken; gives the new place.

    Raises:
        OSError: it cannot be renamed.
    """
    for number in itertools.count(1):
        aside = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if not os.path.lexists(aside):
            path.rename(aside)
            return aside
    raise AssertionError("the numbers do not end")


def _working_folder(target: Path) -> Path:
    return target.with_name(f".{target.name}{WORKING}")


def _recover(target: Path) -> None:
    """Restore or complete what a process left in the working folder, whose lock is held."""
    working = _working_folder(target)
    found = {path.name for path in working.iterdir()}
    if found and not (NOTE in found and found <= {NOTE, _NEW, _OLD, _GONE, f".{_NEW}{WORKING}"}):
        raise _taken(working)
    if _OLD in found:
        if not os.path.lexists(target):
            (working / _OLD).rename(target)
        elif _NEW in found:  # another folder was created meanwhile: both are kept
            set_aside(working / _OLD, target.with_name(f"{target.name}.old"))
    for name in (_OLD, _NEW, _GONE, f".{_NEW}{WORKING}"):
        _delete(working / name)


def _taken(working: Path) -> BadData:
    return BadData(
        f"{working} is in the way: evenhand works in a folder of this name, and it did not make this one.",
        mend="Move it elsewhere.",
    )


def _delete(folder: Path) -> None:
    """Remove a folder inside a working folder; what cannot be removed is left for the next run."""
    shutil.rmtree(folder, ignore_errors=True)


def _write_mark(folder: Path, kind: str) -> None:
    """Write the list of all files with their SHA-256, after each of them is flushed to the disk."""
    files = {}
    for name, path in _files(folder):
        if name == MARK:
            continue
        with path.open("rb") as file:
            files[name] = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
    mark = json.dumps({"format": FORMAT, "kind": kind, "files": files}, indent=1, sort_keys=True)
    with (folder / MARK).open("wb") as file:
        file.write(f"{mark}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below `folder` by its name from there, sorted."""
    for path in sorted(folder.rglob("*")):
        if not path.is_dir():
            yield path.relative_to(folder).as_posix(), path


def _read_mark(folder: Path) -> tuple[str, Mapping[str, str]]:
    """The kind in the mark, and its files with their digests; nothing where there is no mark to read."""
    try:
        mark = json.loads((folder / MARK).read_bytes())
        return (mark["kind"], dict(mark["files"])) if mark["format"] == FORMAT else ("", {})
    except (OSError, ValueError, KeyError, TypeError):
        return "", {}


def _foreign(folder: Path) -> str | None:
    """Why `folder` is not as evenhand wrote it, in words; None where it is empty or unchanged."""
    inside = sorted(folder.rglob("*"))
    if not inside:
        return None
    kind, mark = _read_mark(folder)
    if not kind or (folder / MARK).is_symlink():
        names = [path.name for path in folder.iterdir()]
        return (
            f"it is not empty and has no readable {MARK}: evenhand did not write it, or an old version did "
            f"(it holds {listed(sorted(names), shown=3)})"
        )
    ours = {parent for name in mark for parent in (folder / name).parents}
    for path in inside:
        name = path.relative_to(folder).as_posix()
        if name == MARK or (path in ours and path.is_dir() and not path.is_symlink()):
            continue
        if name not in mark or path.is_symlink() or not path.is_file():
            return f"it holds {name}, which evenhand did not write"
        if file_sha256(path) != mark[name]:
            return f"its file {name} was changed since evenhand wrote it"
    return None


def cache_folder() -> Path:
    """`named_cache`, if it can be a folder; it may not exist yet.

    Raises:
        EnvironmentProblem: it is a file, or lies below one, or its name is too long.
    """
    folder = named_cache()
    try:
        os.stat(folder)  # noqa: PTH116
    except OSError as error:
        if error.errno in {errno.ENAMETOOLONG, errno.ELOOP}:
            raise EnvironmentProblem(
                f"The cache cannot be in {str(folder)[:40]}...: {os.strerror(error.errno)}.", mend=_CACHE_MEND
            ) from None
    there = next((path for path in (folder, *folder.absolute().parents) if os.path.lexists(path)), folder)
    if os.path.lexists(there) and not there.is_dir():
        raise EnvironmentProblem(
            f"The cache cannot be in {folder}: {there} is not a folder.",
            mend=_CACHE_MEND,
        )
    return folder


def named_cache() -> Path:
    """The place that ``EVENHAND_CACHE`` names, or else ``~/.cache/evenhand``, whatever is there."""
    named = os.environ.get("EVENHAND_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "evenhand"
