"""Looking at the places where results will go before any work is done for them."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from evenhand.errors import BadData
from evenhand.files import disk_errors, not_a_file, real_path, sweep, temporary
from evenhand.folders import WORKING, check_replaceable

_PROBE = 1 << 16  # bytes: a disk without room for them has no room for any result
_LONGEST = 3800  # bytes of a path: of the 4096 of most systems some must be left for what lies inside


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that cannot take results.

    Raises:
        BadData: it is a file or lies below one, or its name is too long.
        NoSpace: there is no room, or no right to write.
    """
    target = real_path(folder)
    if os.path.lexists(target) and not target.is_dir():
        raise BadData(f"{folder} is a file, not a folder.", mend="Name a folder.")
    _check_way(folder, target, more=0)
    _probe(folder, target)


def check_output_file(path: Path, sign: bytes) -> None:
    """Refuse a file that cannot be written, or one that is there and that evenhand did not write.

    `sign` is what the file that will be written has in it; one that is there already must have it too.

    Raises:
        BadData: it is a folder or lies below a file, its name is too long, or somebody else wrote it.
        NoSpace: there is no room, or no right to write.
    """
    target = real_path(path)
    if os.path.lexists(target) and not target.is_file():
        raise not_a_file(path)
    _check_way(path, target, more=0)
    check_ours(path, sign)
    _probe(path, target.parent)


def check_ours(path: Path, sign: bytes) -> None:
    """Refuse to write over a file that has something in it, but not the `sign` of evenhand's own.

    Raises:
        BadData: so it is.
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


def check_treatment_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written as a whole (see `replace_folder`).

    Raises:
        BadData, UsageError: it may not be replaced, is a file or lies below one, or its name is too long.
        NoSpace: there is no room, or no right to write.
    """
    target = real_path(folder)
    _check_way(folder, target, more=len(WORKING) + 1)
    check_replaceable(folder)
    _probe(folder, target.parent)


def _check_way(given: Path, target: Path, *, more: int) -> None:
    """Look at what lies above `target` and at its names; `more` is the room that the last name must leave."""
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
                mend=f"Use at most {room}.",
            )


def _nearest(target: Path) -> Path:
    """`target` or what is nearest above it that is there."""
    return next(path for path in (target, *target.parents) if os.path.lexists(path))


def _limit(folder: Path) -> int:
    """How many bytes a name in `folder` may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return 255


def _probe(given: Path, folder: Path) -> None:
    """Write something where the result will go, or nearest above, and remove it: root's rights say little."""
    there = _nearest(folder)
    sweep(there)  # a kill at this place leaves such a file
    with disk_errors(given), temporary(there) as (_, file):
        file.write(bytes(_PROBE))
        file.flush()
