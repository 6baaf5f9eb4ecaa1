"""Hashes: random orders and draws that are the same on every machine, and the SHA-256 of a file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def shuffle_key(seed: int, text: str) -> str:
    """A sort key that orders texts at random, the same on every machine and Python, for one `seed`."""
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def draw_keys(seed: int, texts: Sequence[str]) -> list[bytes]:
    """A key of 32 bytes for each text, in order, that seeds its random draws; equal texts get different keys.

    A key depends on `seed`, the text and how many equal texts stand before it, not on the other texts.
    """
    before: Counter[str] = Counter()
    keys = []
    for text in texts:
        keys.append(hashlib.sha256(f"{seed}\0{before[text]}\0{text}".encode()).digest())
        before[text] += 1
    return keys


def file_sha256(path: Path) -> str:
    """The SHA-256 (hex) of a file's bytes.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
