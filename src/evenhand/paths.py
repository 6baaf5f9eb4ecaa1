"""Where evenhand keeps what it can make again."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from evenhand.errors import EnvironmentProblem

_MEND = "Let the variable EVENHAND_CACHE name a folder."


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
                f"The cache cannot be in {str(folder)[:40]}...: {os.strerror(error.errno)}.", mend=_MEND
            ) from None
    there = next((path for path in (folder, *folder.absolute().parents) if os.path.lexists(path)), folder)
    if os.path.lexists(there) and not there.is_dir():
        raise EnvironmentProblem(
            f"The cache cannot be in {folder}: {there} is not a folder.",
            mend=_MEND,
        )
    return folder


def named_cache() -> Path:
    """The place that ``EVENHAND_CACHE`` names, or else ``~/.cache/evenhand``, whatever is there."""
    named = os.environ.get("EVENHAND_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "evenhand"
