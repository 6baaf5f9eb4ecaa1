"""Checks of the paths of results, before any work is done for them."""

from __future__ import annotations

import hashlib
import mmap
import os
import re
from collections.abc import Mapping
from pathlib import Path

from evenhand.errors import BadData, UsageError
from evenhand.files import disk_errors, not_a_file, real_path, sweep, temporary
from evenhand.folders import WORKING, check_replaceable

_PROBE = 1 << 16  # bytes: a disk without room for them has no room for any result
UNSEALED = f"evenhand-sha256:{'0' * 64}"  # the checksum's placeholder, which a writer puts last into a file
_SEAL = re.compile(rb"evenhand-sha256:([0-9a-f]{64})")
_LONGEST = 3800  # bytes of a path: of the 4096 of most systems some are reserved for the files inside


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that cannot take results.

    Raises:
        BadData: it is a file or lies below one, or its name is too long.
        NoSpace: there is no room, or no right to write.
    """
    target = real_path(folder)
    if os.path.lexists(target) and not target.is_dir():
        raise BadData(f"{folder} is a file, not a folder.", mend="Name a folder.")
    _check_path(folder, target, more=0)
    _probe(folder, target)


def check_output_file(path: Path, sign: bytes) -> None:
    """Refuse a file that cannot be written, or one that is there and that evenhand did not write.

    `sign` is a byte string that every such file of evenhand's contains. A file that exists must contain it
    too and must be unchanged since evenhand wrote it: see `check_unchanged`.

    Raises:
        BadData: it is a folder or lies below a file, its name is too long, or somebody else wrote it or
            changed it.
        NoSpace: there is no room, or no right to write.
    """
    target = real_path(path)
    if os.path.lexists(target) and not target.is_file():
        raise not_a_file(path)
    _check_path(path, target, more=0)
    check_unchanged(path, sign)
    _probe(path, target.parent)


def check_different(paths: Mapping[str, Path | None]) -> None:
    """Refuse results that would be written over each other; `paths` are by the option that names them.

    Raises:
        UsageError: two options name one file.
    """
    places: dict[Path, str] = {}
    for option, path in paths.items():
        if path is None:
            continue
        other = places.setdefault(real_path(path), option)
        if other != option:
            raise UsageError(
                f"{other} and {option} both name {path}.", mend="Name a file of its own for each."
            )


def check_ours(path: Path, sign: bytes) -> None:
    """Refuse to write over a file that has something in it, but not the `sign` of evenhand's own.

    Raises:
        BadData: the file is not empty and does not contain `sign`.
        NoSpace: it cannot be read.
    """
    with disk_errors(path):
        if not path.is_file() or path.stat().st_size == 0:
            return
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = data.find(sign) >= 0
    if not found:
        raise BadData(
            f"{path} is not replaced: there is such a file already, and evenhand did not write it.",
            mend="Name another file, or move this one elsewhere.",
        )


def sealed(data: bytes) -> bytes:
    """`data` with the SHA-256 of itself in the place of the zeros of its last `UNSEALED`.

    Raises:
        ValueError: it has none.
    """
    place = data.rindex(UNSEALED.encode()) + len(UNSEALED) - 64
    return data[:place] + hashlib.sha256(data).hexdigest().encode() + data[place + 64 :]


def check_unchanged(path: Path, sign: bytes) -> None:
    """Refuse to write over a file that evenhand did not write (see `check_ours`), or that was changed since.

    What `sealed` gave is unchanged as long as its last checksum fits.

    Raises:
        BadData: the file is not evenhand's, or was changed; files of earlier versions, which have no
            checksum, are refused too.
        NoSpace: it cannot be read.
    """
    check_ours(path, sign)
    with disk_errors(path):
        data = path.read_bytes() if path.is_file() else b""
    places = [seal.start(1) for seal in _SEAL.finditer(data)]
    if data and not (places and sealed(_unsealed(data, places[-1])) == data):
        raise BadData(
            f"{path} is not replaced: it was changed since evenhand wrote it, or an earlier version did.",
            mend="Name another file, or move this one elsewhere.",
        )


def _unsealed(data: bytes, place: int) -> bytes:
    return data[:place] + b"0" * 64 + data[place + 64 :]


def check_treatment_folder(folder: Path, *, beside: str = "") -> None:
    """Refuse a folder that cannot be written as a whole (see `replace_folder`).

    `beside` is the suffix of a second folder that will stand next to it under the same name plus the suffix.

    Raises:
        BadData, UsageError: it may not be replaced, is a file or lies below one, or its name is too long.
        NoSpace: there is no room, or no right to write.
    """
    target = real_path(folder)
    _check_path(folder, target, more=max(len(WORKING) + 1, len(beside)))
    check_replaceable(folder)
    _probe(folder, target.parent)


def _check_path(given: Path, target: Path, *, more: int) -> None:
    """Check the parents of `target` and the lengths of names; the last name leaves room for `more` bytes."""
    there = _nearest(target)
    if not there.is_dir() and there != target:
        raise BadData(f"{given} lies below {there}, which is a file.", mend="Name another place.")
    if len(os.fsencode(target)) > _LONGEST:
        raise BadData(f"{given} is too long a path.", mend="Name a place with a shorter one.")
    most = _limit(there if there.is_dir() else there.parent)
    for part in target.relative_to(there).parts:
        room = most - (more if part == target.name else 0)
        if len(os.fsencode(part)) > room:
            raise BadData(
                f"The name {part[:20]}... is too long: it has {len(os.fsencode(part))} bytes.",
                mend=f"Use at most {room} bytes.",
            )


def _nearest(target: Path) -> Path:
    """`target` or what is nearest above it that is there."""
    return next(path for path in (target, *target.parents) if os.path.lexists(path))


def _limit(folder: Path) -> int:
    """How many bytes a name in `folder` may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, ValueError, OSError):  # not every system has this limit
        return 255


def _probe(given: Path, folder: Path) -> None:
    """Write and remove a file at the target or its nearest parent: permissions do not apply to root."""
    there = _nearest(folder)
    sweep(there)  # a kill at this place leaves such a file
    with disk_errors(given), temporary(there) as (_, file):
        file.write(bytes(_PROBE))
        file.flush()
