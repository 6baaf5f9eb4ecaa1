"""Where evenhand keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path

from evenhand.errors import EnvironmentProblem


def cache_folder() -> Path:
    """`named_cache`, if it can be a folder; it may not exist yet.

    Raises:
        EnvironmentProblem: it is a file, or lies below one.
    """
    folder = named_cache()
    there = next((path for path in (folder, *folder.absolute().parents) if os.path.lexists(path)), folder)
    if os.path.lexists(there) and not there.is_dir():
        raise EnvironmentProblem(
            f"The cache cannot be in {folder}: {there} is not a folder.",
            mend="Let the variable EVENHAND_CACHE name a folder.",
        )
    return folder


def named_cache() -> Path:
    """The place that ``EVENHAND_CACHE`` names, or else ``~/.cache/evenhand``, whatever is there."""
    named = os.environ.get("EVENHAND_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "evenhand"
