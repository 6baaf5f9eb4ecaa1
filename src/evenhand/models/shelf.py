"""Answers of servers on disk: private to the user, and used only if they are undamaged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evenhand.files import disk_errors, write_atomically
from evenhand.folders import cache_folder
from evenhand.records import Undefined

Json = Mapping[str, Any]
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
# Keys in addition to the fields of the server's answer, or instead of them.
_SUM, _UNDEFINED = "evenhand_checksum", "evenhand_undefined"


def read(key: str) -> Json | Undefined | None:
    """What was stored under `key`; None if there is nothing, or the file is damaged.

    A file counts as damaged if its checksum does not match or is missing.
    """
    try:
        kept = json.loads(_file(key).read_bytes())
        if kept.pop(_SUM) != _checksum(key, kept):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    reason = kept.get(_UNDEFINED)
    return Undefined(reason) if isinstance(reason, str) else kept


def write(key: str, answer: Json | Undefined) -> None:
    """Store `answer` under `key`, readable for this user only.

    Raises:
        NoSpace: the disk is full or not writable.
    """
    path = _file(key)
    if isinstance(answer, Undefined):
        kept: dict[str, Any] = {_UNDEFINED: answer.reason}
    else:
        kept = {name: value for name, value in answer.items() if name not in (_UNDEFINED, _SUM)}
    kept[_SUM] = _checksum(key, kept)
    with disk_errors(path):
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o777 != _PRIVATE_FOLDER:
                folder.chmod(_PRIVATE_FOLDER)
    write_atomically(path, json.dumps(kept).encode(), mode=_PRIVATE_FILE)


def _file(key: str) -> Path:
    return cache_folder() / "endpoint" / key[:2] / f"{key}.json"


def _checksum(key: str, kept: Json) -> str:
    """SHA-256 (hex) over the key and the stored value: a file under another key's name is also damaged."""
    text = json.dumps([key, kept], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
