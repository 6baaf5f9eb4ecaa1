"""Sizes in bytes as people write them: ``500MB``, ``2.5GB``."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)(MB|GB|TB)")
_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


def in_bytes(text: str) -> int | None:
    """The bytes that `text` names; None where it names none, or not a size above 0."""
    found = _SIZE.fullmatch(text)
    return None if found is None else int(float(found[1]) * _UNITS[found[2]]) or None
