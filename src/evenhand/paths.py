"""Where evenhand keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder that ``EVENHAND_CACHE`` names, or else ``~/.cache/evenhand``; it may not exist yet."""
    named = os.environ.get("EVENHAND_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "evenhand"
