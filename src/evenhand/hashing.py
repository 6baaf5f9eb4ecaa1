"""Hashes: a random order that is the same on every machine, and the SHA-256 of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path


def shuffle_key(seed: int, text: str) -> str:
    """A sort key that orders texts at random, the same on every machine and Python, for one `seed`."""
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """The SHA-256 (hex) of a file's bytes.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
